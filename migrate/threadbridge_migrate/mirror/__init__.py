"""`migrate mirror`: writes stored threads to Conversations."""
