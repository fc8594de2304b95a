"""`taimat ward ...`: the commands of the ward's end. Each imports what it runs when it is called."""
