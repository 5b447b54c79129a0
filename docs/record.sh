#!/bin/sh
# record.sh plays the demo in tmux and saves what the terminal shows as text, one
# file a screen, into docs/screens. Nothing in them is drawn by hand.
#
#	make record          # builds bin/starling first
#
# It talks to nobody: the demo's relays and its contact are on this machine. Without
# tmux it says so and changes nothing.
set -eu
cd "$(dirname "$0")/.."
command -v tmux >/dev/null || { echo "record.sh: tmux is missing; nothing was recorded"; exit 0; }
[ -x bin/starling ] || { echo "record.sh: there is no bin/starling; run make build" >&2; exit 1; }

work=$(mktemp -d)
out=docs/screens
mkdir -p "$out"
# Servers of its own, one a terminal, without anybody's configuration.
server=0
export TMUX_TMPDIR="$work"
unset TMUX
tm() { tmux -L "record$server" -f /dev/null "$@"; }
mesh=''
trap 'tm kill-server 2>/dev/null || true; [ -z "$mesh" ] || bin/starling testnet down record || true; rm -rf "$work"' EXIT INT TERM

# begin COLUMNS ROWS COMMAND... starts a program in a terminal of that size.
begin() {
  columns=$1 rows=$2
  shift 2
  tm kill-server 2>/dev/null || true
  server=$((server + 1))
  tm new-session -d -x "$columns" -y "$rows" \
    "env STARLING_PROFILE='$work/profile' STARLING_LANGUAGE=en LC_ALL=C.UTF-8 TZ=UTC TERM=tmux-256color $*; sleep 60"
}

screen() { tm capture-pane -p; }

# shows TEXT waits until the screen shows it.
shows() {
  tries=${PATIENCE:-600}
  until screen | grep -qF -- "$1"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      echo "record.sh: the screen did not show '$1':" >&2
      screen >&2
      exit 1
    fi
    sleep 0.1
  done
}

type() { tm send-keys -l -- "$1"; }
press() { tm send-keys "$@"; }

# leave presses escape. What follows too soon would be taken for alt and a key.
leave() { press Escape; sleep 0.7; }

# save NAME keeps the screen once it stands still.
save() {
  before='' now=$(screen)
  while [ "$before" != "$now" ]; do
    sleep 0.5
    before=$now now=$(screen)
  done
  printf '%s\n' "$now" | sed 's/ *$//' > "$out/$1.txt"
  echo "$out/$1.txt"
}

# The first start of a new person.
begin 80 24 bin/starling
shows Starling
save first-start

# A conversation with the demo's contact.
begin 100 30 bin/starling demo
shows 'Say hello to echo'
save nobody-has-spoken
type 'Hello! Is anybody there?'
press Enter
shows 'echo: Hello! Is anybody there?'
type 'It went through **three** relays, each of which knows only its neighbours. 明天见 👋'
press Enter
shows 'echo: It went through'
save conversation
leave
press k
press Enter
shows 'Answer'
save menu
leave
press C-p
shows 'What to do'
type 'verify'
save actions
leave
press v
shows 'Verify echo'
save safety-number
leave
press F2
shows 'What this promises'
save network
leave
press C-s
shows 'Search in all'
type 'relays'
shows '2 messages'
save search
leave
press F5
save incognito
press F5
tm resize-window -x 60 -y 20
save small
tm resize-window -x 40 -y 10
save smallest
tm resize-window -x 100 -y 44
press C-n
shows 'Who is it for'
type 'Robin'
press Enter
sleep 0.7
press Enter
shows 'starling:'
save invite

# A room of three people, on a mesh of its own: every node is a process.
bin/starling testnet up node/testnet/scenarios/hello.toml --name record > "$work/mesh" 2>&1 &
mesh=$!
until grep -q '"event":"ready"' "$work/mesh"; do
  kill -0 "$mesh" || { cat "$work/mesh" >&2; exit 1; }
  sleep 0.5
done
as() { user=$1; shift; bin/starling testnet exec record "$user" "$@"; }
as u0 room create 'the pier' --as Ada --timeout 2m > "$work/room"
link=$(as u0 room invite 'the pier' --uses 5 --timeout 2m --json | sed 's/.*"link":"\([^"]*\)".*/\1/')
as u1 room join "$link" --name Bob --yes --timeout 2m > "$work/bob"
begin 100 30 bin/starling --testnet record
shows 'Write to User 0'
leave
press J
shows 'Join a room'
type "$link"
press Enter
shows 'together with your guard'
save room-card
press Enter
shows 'Your name in it'
type 'Cleo'
press Enter
shows 'Write to the pier'
until as u1 room list | grep -q '3 of 32'; do sleep 1; done
as u0 send 'the pier' 'Who has the key of the boathouse?' > "$work/said"
shows 'boathouse'
as u1 send 'the pier' 'It is under the third stone, @Cleo' > "$work/said"
shows 'third stone'
type 'Thank you both 👋'
press Enter
shows 'Thank you both'
save room
leave
press M
shows '3 members'
press Down
save room-members
tm kill-server 2>/dev/null || true
bin/starling testnet down record
wait "$mesh" || true
mesh=''

# The linear mode.
begin 80 24 bin/starling demo --plain
shows '1. echo'
type '/open 1'
press Enter
shows 'No messages yet'
type 'Hello in plain text'
press Enter
shows 'echo: Hello in plain text'
type '/status'
press Enter
save plain

# One exchange for scripts.
begin 120 14 bin/starling demo --headless
shows summary
save headless
