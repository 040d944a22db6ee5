# One image for every role: `oct run --role …`. Nothing in it is written at run time; /tmp and the folder of the
# configuration come from outside. The user is unprivileged, its group is 0, as platforms with random users want it.
FROM python:3.13-slim AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md ./
COPY config config
COPY oct oct
COPY workers workers
RUN python -m venv /opt/oct && /opt/oct/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.13-slim
COPY --from=build /opt/oct /opt/oct
RUN install -d -o 10001 -g 0 -m 0770 /etc/oct /var/lib/oct
ENV PATH=/opt/oct/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OCT_CONFIG=/etc/oct/oct.toml
WORKDIR /etc/oct
USER 10001:0
EXPOSE 2525 1110 8443
STOPSIGNAL SIGTERM
ENTRYPOINT ["oct"]
CMD ["run"]
