# One image for both lanes and for every command: docker run ... causeway COMMAND
FROM python:3.13-slim AS build
# A mirror of the package index, where one is used: --build-arg PIP_INDEX_URL=...
ARG PIP_INDEX_URL
WORKDIR /src
RUN python -m venv /opt/causeway
COPY requirements.txt requirements-build.txt ./
RUN /opt/causeway/bin/pip install --no-cache-dir --require-hashes -r requirements-build.txt -r requirements.txt
COPY . .
RUN /opt/causeway/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
# A fixed uid, so that volumes keep their owner when the image is rebuilt. The folders are made here because a new named
# volume takes its owner from the image.
RUN useradd --uid 10001 --create-home --home-dir /var/lib/causeway --shell /usr/sbin/nologin causeway \
    && install -d -o causeway -g causeway /etc/causeway \
       /var/lib/causeway/run /var/lib/causeway/warehouse /var/lib/causeway/extracts
COPY --from=build /opt/causeway /opt/causeway
ENV PATH=/opt/causeway/bin:$PATH PYTHONUNBUFFERED=1
USER causeway
# causeway.yaml is looked for in the working directory.
WORKDIR /etc/causeway
ENTRYPOINT ["causeway"]
CMD ["--help"]
