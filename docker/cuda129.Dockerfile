# For an NVIDIA GPU of the Blackwell generation with driver 570.26 or newer, see docs/gpu.md. Not built here.
FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04
RUN apt-get update && apt-get install -y make python3-venv unzip
WORKDIR /pose
COPY . .
RUN make setup REQUIREMENTS=requirements/cuda129.txt
CMD ["make", "demo", "REQUIREMENTS=requirements/cuda129.txt"]
