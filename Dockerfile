# Runs vector-tl without PyTorch: detection, films, find and the simulator. The models are inside. To train, use a clone.
#
#     docker build -t vector-tl .
#     docker run --rm -v "$PWD/runs:/robot/runs" vector-tl demo
#     docker run --rm -v "$PWD:/robot" vector-tl detect best PHOTOS/
#     docker run --rm -it --network host -v "$HOME/.anki_vector:/home/vector/.anki_vector" vector-tl doctor --robot SERIAL
FROM python:3.13-slim-trixie
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libegl1 libgl1 libgl1-mesa-dri libglib2.0-0t64 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/vector_tl
COPY . .
RUN PIP_NO_CACHE_DIR=1 scripts/setup --run
# What it writes into a mounted folder belongs to this user: docker run --user "$(id -u):$(id -g)" makes it yours.
RUN useradd --create-home vector && mkdir -p /robot/runs && chmod 777 /robot /robot/runs
USER vector
ENV HOME=/home/vector PATH=/opt/vector_tl/.venv/bin:$PATH
WORKDIR /robot
ENTRYPOINT ["vector-tl"]
CMD ["--help"]
