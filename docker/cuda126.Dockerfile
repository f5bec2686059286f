# For an NVIDIA GPU with driver 525.60.13 or newer, see docs/gpu.md. Not built here.
FROM nvidia/cuda:12.6.3-runtime-ubuntu24.04
RUN apt-get update && apt-get install -y make python3-venv unzip
WORKDIR /pose
COPY . .
RUN make setup REQUIREMENTS=requirements.txt
CMD ["make", "demo", "REQUIREMENTS=requirements.txt"]
