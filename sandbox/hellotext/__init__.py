"""A stand-in of Hellotext's REST API (contracts/hellotext CONTRACT part B); it keeps all that it is told."""
