"""A small process beside every app that may drive: it stops the robot when the app no longer can.

The app shows it each command; without a sign of life while wheels may turn, or with the app gone, it stops
the robot by the rule of `robot/stopping.py`. It opens a control stream only then, since the end of any
control stream takes control from everybody.
"""
