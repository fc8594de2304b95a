"""The client's side of RTSP as values and decisions: messages, addresses, descriptions, logins, the dialogue. Pure."""
