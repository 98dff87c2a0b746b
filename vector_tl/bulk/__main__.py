"""`python -m vector_tl.bulk --data DIR --count N`: labelled simulated images, one process on one core."""

import json
import os
import signal
import sys

import cv2
import tyro

from vector_tl.bulk.run import draw
from vector_tl.bulk.settings import BulkSettings
from vector_tl.errors import UserError

if __name__ == "__main__":
    os.environ.setdefault("LP_NUM_THREADS", "1")  # of Mesa, which reads it when the camera is made
    cv2.setNumThreads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        print(json.dumps(draw(tyro.cli(BulkSettings))))
    except UserError as error:
        sys.exit(str(error))
