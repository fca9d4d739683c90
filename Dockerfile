# Image for a Hugging Face Space (sdk: docker, app_port: 8501) or any other container host.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 user
WORKDIR /home/user/app
COPY --chown=user requirements.txt .
# The CPU-only build of torch is a fifth of the size of the build with CUDA.
RUN pip install --no-cache-dir torch==2.14.1 torchvision==0.29.1 --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir -r requirements.txt
COPY --chown=user . .
USER user
ENV VITDEMO_HOME=/home/user/vitdemo
EXPOSE 8501
HEALTHCHECK CMD python -c "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health')"
# A Space shows the app in a frame of another site. There, browsers send the cookie that protects
# uploads only with SameSite=None, which needs HTTPS. Elsewhere it keeps the stricter default.
CMD if [ "$SPACE_ID" ]; then set -- vitdemo/ui/space.py --server.xsrfCookieSameSite none; else set -- app.py; fi; \
    exec python -m streamlit run "$@" --server.address 0.0.0.0 --server.port 8501 --server.headless true
