# deploy.py on a CPU, without Paddle, see docs/deployment.md. Not built here.
FROM python:3.12-slim
WORKDIR /pose
COPY . .
RUN pip install -r requirements/deploy.txt
ENTRYPOINT ["python", "pose_estimation/deploy.py"]
CMD ["--help"]
