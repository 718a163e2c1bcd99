#!/usr/bin/env bash
# Makes docs/frontier.png (negotiation.md) and docs/portfolio.png (portfolio.md): pages as a laptop shows them. Needs the extra html, and Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
plan frontier problems/deepseek_v3_anywhere.yaml --set limits.deadline=60d --set 'limits.budget=$7M' \
    --html "$folder/frontier.html" > /dev/null
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$folder/profile" \
    --window-size=1400,900 --screenshot="$PWD/docs/frontier.png" "file://$folder/frontier.html" 2> /dev/null
plan portfolio problems/portfolio/research_year.yaml --gap 1% --html "$folder/year.html" > /dev/null
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$folder/profile" \
    --window-size=1400,900 --screenshot="$PWD/docs/portfolio.png" "file://$folder/year.html" 2> /dev/null
