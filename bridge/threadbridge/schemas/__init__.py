"""The vocabulary of request schemas: shapes of JSON values, and the error texts of the service for each."""
