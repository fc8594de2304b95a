"""`taimat ward ...`: the commands of the ward's end. Each imports its code when it is called."""
