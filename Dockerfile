# `audioclf serve` in a container; docs/guides/deploy.md has the commands.
FROM python:3.11-slim AS build
COPY . /src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /src

FROM python:3.11-slim
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[serve]" onnxruntime -c /wheels/constraints.txt \
    && rm -r /wheels && useradd --system classify
USER classify
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["audioclf", "serve"]
CMD ["/model.audioclf", "--host", "0.0.0.0", "--port", "8000", "--allow-host", "*"]
