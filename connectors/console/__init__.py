"""The people's side: the connection wizard, the dashboard, and the live view of what happens."""
