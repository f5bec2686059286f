# For an NVIDIA GPU with driver 450.80.02 or newer, see docs/gpu.md. Not built here.
FROM nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04
RUN apt-get update && apt-get install -y make python3-venv unzip
WORKDIR /pose
COPY . .
RUN make setup REQUIREMENTS=requirements/cuda11.txt
CMD ["make", "demo", "REQUIREMENTS=requirements/cuda11.txt"]
