"""`emotion-streams capacity`: how many cameras this machine holds, measured."""
