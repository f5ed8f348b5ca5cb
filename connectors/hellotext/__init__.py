"""The client of Hellotext: profiles, sessions, events and messages (contracts/hellotext CONTRACT part B)."""
