"""What the household has decided, in a database of the keeper's own: nobody else can read or write it.

Rows of the shared database that say the same are views for the other roles, and worth nothing by themselves. The
keeper decides by these tables, and so does the command line, which root and the owner alone may use on a store.
"""
