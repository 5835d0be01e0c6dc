"""Moving what exists: archives of threads, and the commands that write and read them."""
