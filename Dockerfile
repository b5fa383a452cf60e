# The product with what PostgreSQL needs; the brand's folder is mounted at /brand.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE brand.yaml ./
COPY orchestrator ./orchestrator
COPY connectors ./connectors
COPY sample ./sample
COPY playbooks ./playbooks
COPY content ./content
# The lock holds what tests need too; as constraints it decides versions and nothing more.
RUN sed -e 's/ *\\$//' -e '/^ *--hash/d' -e '/^ *#/d' requirements.lock > constraints.txt \
    && python -m venv /opt/orchestrator \
    && /opt/orchestrator/bin/pip install --no-cache-dir -c constraints.txt '.[postgres]'

FROM python:3.12-slim
RUN useradd --uid 1000 --create-home orchestrator && install -d -o orchestrator /brand
COPY --from=build /opt/orchestrator /opt/orchestrator
USER orchestrator
WORKDIR /brand
ENV PATH=/opt/orchestrator/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT ["orchestrator"]
CMD ["serve", "--host", "0.0.0.0"]
