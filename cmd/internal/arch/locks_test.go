package arch

import (
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/callgraph"
	"golang.org/x/tools/go/callgraph/cha"
	"golang.org/x/tools/go/callgraph/vta"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

// waiting are calls out of this module that wait: for another party, for room in a
// queue that another party empties, or for time. A name in brackets is a type, or any
// that implements it. Resets and closes are among them: a stream of yamux writes that
// it ends, and waits for room to do so.
var waiting = []string{
	"time.Sleep",
	"(*sync.WaitGroup).Wait",
	"(*golang.org/x/sync/errgroup.Group).Wait",
	"(*golang.org/x/sync/errgroup.Group).Go",
	"(*golang.org/x/time/rate.Limiter).Wait",
	"(*golang.org/x/time/rate.Limiter).WaitN",
	"io.Copy", "io.CopyN", "io.ReadAll", "io.ReadFull", "io.ReadAtLeast",
	"(net.Conn).", "(net.Listener).", "(*net.Dialer).", "net.Dial", "net.DialTimeout", "net.Listen", "net.Lookup",
	"(github.com/libp2p/go-libp2p/core/network.Stream).Read",
	"(github.com/libp2p/go-libp2p/core/network.Stream).Write",
	"(github.com/libp2p/go-libp2p/core/network.Stream).Close",
	"(github.com/libp2p/go-libp2p/core/network.Stream).Reset",
	"(github.com/libp2p/go-libp2p/core/network.MuxedStream).Read",
	"(github.com/libp2p/go-libp2p/core/network.MuxedStream).Write",
	"(github.com/libp2p/go-libp2p/core/network.MuxedStream).Close",
	"(github.com/libp2p/go-libp2p/core/network.MuxedStream).Reset",
	"(github.com/libp2p/go-libp2p/core/network.Conn).Close",
	"(github.com/libp2p/go-libp2p/core/network.Conn).NewStream",
	"(github.com/libp2p/go-libp2p/core/network.Network).ClosePeer",
	"(github.com/libp2p/go-libp2p/core/network.Network).NewStream",
	"(github.com/libp2p/go-libp2p/core/network.Network).DialPeer",
	"(github.com/libp2p/go-libp2p/core/network.Network).Close",
	"(github.com/libp2p/go-libp2p/core/network.Dialer).ClosePeer",
	"(github.com/libp2p/go-libp2p/core/network.Dialer).DialPeer",
	"(github.com/libp2p/go-libp2p/core/host.Host).Connect",
	"(github.com/libp2p/go-libp2p/core/host.Host).NewStream",
	"(github.com/libp2p/go-libp2p/core/host.Host).Close",
	"github.com/multiformats/go-multistream.",
	"(*github.com/libp2p/go-libp2p-pubsub.Topic).",
	"(io.Closer).",
	"(*github.com/libp2p/go-libp2p-kad-dht.IpfsDHT).",
	"(*net/http.", "(net/http.", "net/http.",
	"(*os/exec.Cmd).Wait", "(*os/exec.Cmd).Run", "(*os/exec.Cmd).Output", "(*os/exec.Cmd).CombinedOutput",
}

// mayWait are packages and functions that may wait with a lock held, with the reason.
var mayWait = map[string]string{
	"starling/node/testnet":                  "an engine does one thing after the other for the one who runs it",
	"(*starling/node/store.Store).Backup":    "one backup at a time: it reads and writes files, and nobody answers",
	"(*starling/node/store.Store).copySome":  "the copy under new keys takes the database's place between two transactions: files only",
	"(*starling/node/store.Store).renewKeys": "one copy at a time, as with Backup",
	"starling/p2p/virtualtime":               "is the network that others wait for",
}

// TestNobodyWaitsWithALock: no lock is held while its holder waits for another party or
// for time. One silent peer would hold up everybody else; and in virtual time a
// goroutine that waits for a lock keeps the clock from moving on, so that a holder that
// waits for time waits for ever.
func TestNobodyWaitsWithALock(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Dir: root(t), Fset: fset}, "./p2p/...", "./node", "./node/inbox/...", "./node/outbox/...", "./node/store/...", "./node/chat/...", "./node/control/...", "./node/relay/...")
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(pkgs) > 0 {
		t.Fatal("packages do not load")
	}
	prog, _ := ssautil.Packages(pkgs, ssa.InstantiateGenerics)
	prog.Build()

	all := ssautil.AllFunctions(prog)
	w := &waits{graph: vta.CallGraph(all, cha.CallGraph(prog)), fset: fset, how: map[*ssa.Function]string{}}
	w.spread(all)
	found := map[string]bool{}
	used := map[string]bool{}
	for f := range all {
		if f.Blocks == nil {
			continue
		}
		for _, at := range w.underLock(f) {
			if why := excuse(f); why != "" {
				used[why] = true
			} else {
				found[at] = true
			}
		}
	}
	for _, at := range slices.Sorted(maps.Keys(found)) {
		t.Error(at)
	}
	if len(w.how) < 100 {
		t.Errorf("only %d functions wait: the analysis sees nothing", len(w.how))
	}
}

// excuse returns the entry of mayWait that a function falls under.
func excuse(f *ssa.Function) string {
	for why := range mayWait {
		name := strings.TrimPrefix(strings.TrimPrefix(f.String(), "("), "*")
		if strings.HasPrefix(f.String(), why) || strings.HasPrefix(name, why) {
			return why
		}
	}
	return ""
}

// waits knows which functions wait, and how.
type waits struct {
	graph *callgraph.Graph
	fset  *token.FileSet
	how   map[*ssa.Function]string
}

// spread finds out which functions wait: those that do, and those that call them.
func (w *waits) spread(all map[*ssa.Function]bool) {
	var queue []*ssa.Function
	for f := range all {
		if how := w.itself(f); how != "" {
			w.how[f] = how
			queue = append(queue, f)
		}
	}
	slices.SortFunc(queue, func(a, b *ssa.Function) int { return strings.Compare(a.String(), b.String()) })
	for len(queue) > 0 {
		f := queue[0]
		queue = queue[1:]
		node := w.graph.Nodes[f]
		if node == nil {
			continue
		}
		for _, e := range node.In {
			from := e.Caller.Func
			if _, spawned := e.Site.(*ssa.Go); spawned || w.how[from] != "" {
				continue
			}
			w.how[from] = f.String() + " -> " + w.how[f]
			queue = append(queue, from)
		}
	}
}

// itself says how a function waits, if it does so itself.
func (w *waits) itself(f *ssa.Function) string {
	for _, b := range f.Blocks {
		for _, in := range b.Instrs {
			if how := w.primitive(in); how != "" {
				return how
			}
		}
	}
	return ""
}

// primitive says how an instruction waits without a function of ours.
func (w *waits) primitive(in ssa.Instruction) string {
	at := func(what string) string { return fmt.Sprintf("%s at %s", what, w.fset.Position(in.Pos())) }
	switch in := in.(type) {
	case *ssa.Send:
		return at("send")
	case *ssa.UnOp:
		if in.Op == token.ARROW {
			return at("receive")
		}
	case *ssa.Select:
		if in.Blocking {
			return at("select")
		}
	case *ssa.Call:
		if name := outside(in.Common()); name != "" {
			return at(name)
		}
	case *ssa.Defer:
		if name := outside(in.Common()); name != "" {
			return at(name)
		}
	}
	return ""
}

// outside returns the name of a waiting function that is called.
func outside(c *ssa.CallCommon) string {
	name := ""
	if c.IsInvoke() {
		name = "(" + types.TypeString(c.Value.Type(), nil) + ")." + c.Method.Name()
	} else if f := c.StaticCallee(); f != nil {
		name = f.String()
	}
	if strings.HasSuffix(name, "Addr") || strings.HasSuffix(name, "Deadline") {
		return ""
	}
	for _, p := range waiting {
		if strings.HasPrefix(name, p) {
			return name
		}
	}
	return ""
}

// lockOf returns the lock that a call takes or lets go.
func lockOf(c *ssa.CallCommon) (lock string, takes, lets bool) {
	f := c.StaticCallee()
	if f == nil || len(c.Args) == 0 {
		return "", false, false
	}
	switch f.String() {
	case "(*sync.Mutex).Lock", "(*sync.RWMutex).Lock", "(*sync.RWMutex).RLock":
		return place(c.Args[0]), true, false
	case "(*sync.Mutex).Unlock", "(*sync.RWMutex).Unlock", "(*sync.RWMutex).RUnlock":
		return place(c.Args[0]), false, true
	}
	return "", false, false
}

// place names the target of a pointer.
func place(v ssa.Value) string {
	switch v := v.(type) {
	case *ssa.FieldAddr:
		t := v.X.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Struct)
		return place(v.X) + "." + t.Field(v.Field).Name()
	case *ssa.UnOp:
		return place(v.X)
	}
	return v.Name()
}

// underLock returns the places in a function that wait with a lock held.
func (w *waits) underLock(f *ssa.Function) (found []string) {
	held := make([]map[string]bool, len(f.Blocks))
	work := []*ssa.BasicBlock{f.Blocks[0]}
	held[f.Blocks[0].Index] = map[string]bool{}
	for len(work) > 0 {
		b := work[0]
		work = work[1:]
		now := maps.Clone(held[b.Index])
		for _, in := range b.Instrs {
			found = append(found, w.step(in, now)...)
		}
		for _, next := range b.Succs {
			grown := false
			if held[next.Index] == nil {
				held[next.Index] = map[string]bool{}
				grown = true
			}
			for l := range now {
				grown = grown || !held[next.Index][l]
				held[next.Index][l] = true
			}
			if grown {
				work = append(work, next)
			}
		}
	}
	return found
}

// step follows one instruction.
func (w *waits) step(in ssa.Instruction, held map[string]bool) (found []string) {
	call, ok := in.(*ssa.Call)
	if ok {
		lock, takes, lets := lockOf(call.Common())
		if takes {
			held[lock] = true
			return nil
		}
		if lets {
			delete(held, lock)
			return nil
		}
		if f := call.Common().StaticCallee(); f != nil && f.String() == "(*sync.Once).Do" {
			held = map[string]bool{"once": true}
		}
	}
	if len(held) == 0 {
		return nil
	}
	where := func(how string) string {
		return fmt.Sprintf("%s (%s): %s is held: %s", w.fset.Position(in.Pos()), in.Parent(), strings.Join(slices.Sorted(maps.Keys(held)), ", "), how)
	}
	if how := w.primitive(in); how != "" {
		return []string{where(how)}
	}
	if !ok {
		return nil
	}
	node := w.graph.Nodes[in.Parent()]
	if node == nil {
		return nil
	}
	for _, e := range node.Out {
		if e.Site == in.(ssa.CallInstruction) && w.how[e.Callee.Func] != "" {
			found = append(found, where(e.Callee.Func.String()+" -> "+w.how[e.Callee.Func]))
		}
	}
	return found
}
