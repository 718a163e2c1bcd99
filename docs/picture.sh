#!/usr/bin/env bash
# Makes the pictures of pages in docs/, as a laptop shows them. Needs the extras html and board, Chromium, and selenium.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$root/problems" "$folder/problems"
cd "$folder"
anywhere=problems/deepseek_v3_anywhere.yaml
request=(--set limits.deadline=60d --set 'limits.budget=$11110000')
deal=(--set limits.deadline=75d --set 'limits.budget=$7M' --set risk.confidence=95% --set risk.counts=luck)

# picture NAME COMMAND…: what `plan COMMAND… --html NAME.html` writes, as docs/NAME.png
picture() {
    plan "${@:2}" --html "$1.html" > /dev/null
    chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$folder/profile" \
        --window-size=1400,"${HEIGHT:-900}" --screenshot="$root/docs/$1.png" "file://$folder/$1.html" 2> /dev/null
}

plan solve "$anywhere" "${request[@]}" --out a.json > /dev/null
plan solve "$anywhere" "${deal[@]}" --out b.json > /dev/null
plan solve problems/spot_heavy.yaml --out spot.json > /dev/null
picture solve solve "$anywhere" "${request[@]}"
picture frontier frontier "$anywhere" --set limits.deadline=60d --set 'limits.budget=$7M'
picture whatif whatif "$anywhere" --vary 'limits.budget=$7M..$13M:5' --vary limits.deadline=45d,60d,75d,90d --show cost
picture alternatives alternatives problems/mixtral_8x22b.yaml --within 30%
picture scale scale problems/gpt3_175b.yaml --gpus 128..1024
picture estimate estimate problems/runs/deepseek-v3.yaml
HEIGHT=1500 picture replay replay spot.json
picture diff diff a.json b.json
picture portfolio portfolio problems/portfolio/research_year.yaml --gap 1%
python "$root/docs/board_picture.py" "$anywhere" "$root/docs/board.png" 1250
python "$root/docs/board_picture.py" problems/portfolio/research_year.yaml "$root/docs/board-portfolio.png" 1150
