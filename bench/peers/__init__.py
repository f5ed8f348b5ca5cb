"""What is measured, ours and the peers: each a process that takes its job as arguments and prints what it has done.

The engines print `START` and `END` with the time, when the job is done durably; servers print where they listen.
"""
