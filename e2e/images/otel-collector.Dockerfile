# A folder with the program `otelcol` is the context.
FROM scratch
COPY otelcol /otelcol
USER 10001:10001
EXPOSE 4317 4318
ENTRYPOINT ["/otelcol"]
CMD ["--config", "/etc/otelcol/config.yaml"]
