# Image for a Hugging Face Space (sdk: docker, app_port: 8501) or any other container host.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 user
WORKDIR /home/user/app
COPY --chown=user requirements.txt .
# The CPU-only build of torch is a fifth of the size of the build with CUDA.
RUN pip install --no-cache-dir torch==2.14.1 torchvision==0.29.1 --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir -r requirements.txt
COPY --chown=user . .
# By number, so that a host can see that it is not root.
USER 1000
ENV VITDEMO_HOME=/home/user/vitdemo
# A new volume mounted there belongs to this user, too.
RUN mkdir "$VITDEMO_HOME"
EXPOSE 8501
# Asks for the path that the app has behind a reverse proxy, and asks no HTTP proxy.
HEALTHCHECK CMD python -c "import http.client; app = http.client.HTTPConnection('localhost', 8501); \
    app.request('GET', '${STREAMLIT_SERVER_BASE_URL_PATH:+/$STREAMLIT_SERVER_BASE_URL_PATH}/_stcore/health'); \
    exit(app.getresponse().status != 200)"
# A Space shows the app in a frame of another site. There, browsers send the cookie that protects
# uploads only with SameSite=None, which needs HTTPS. Elsewhere it keeps the stricter default.
CMD if [ "$SPACE_ID" ]; then set -- vitdemo/ui/space.py --server.xsrfCookieSameSite none; else set -- app.py; fi; \
    exec python -m streamlit run "$@" --server.address 0.0.0.0 --server.port 8501 --server.headless true
