"""Recordings to tables, an annotated video and a report: `emotion-streams analyse`.

The processes of every other deployment do the work: a producer, a worker and a server, all on this
machine and only for as long as the command runs.
"""
