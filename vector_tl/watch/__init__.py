"""Two models live on a camera, a video, the screen or a robot, in a browser page or a window."""
