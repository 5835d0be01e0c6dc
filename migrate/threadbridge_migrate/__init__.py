"""Migration of existing threads: archives, and the commands that write and read them."""
