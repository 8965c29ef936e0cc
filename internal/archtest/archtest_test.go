// Package archtest locks the rooms: who may import whom, and who may touch the
// clock, luck, sockets and the process. The tables hold the reason of each rule;
// a rule that no longer names anything fails too.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

type room struct {
	name    string
	imports []string
	reason  string
}

// rooms says which packages of this module a room may import ("." is the nouns).
var rooms = []room{
	{".", nil, "nouns only: everything points here, so it points nowhere"},
	{"stats", nil, "numbers know nothing of networks"},
	{"finding", []string{"."}, "what analyses hand on, and how numbers are written; no engine, no sentence"},
	{"trace", []string{"."}, "what happened, in terms of the nouns"},
	{"policy", []string{"."}, "shared by the measured and the predicted world, so it may know neither"},
	{"flow", []string{"."}, "packets into connections, whoever captured or carried them; it knows neither files nor devices"},
	{"sockdiag", nil, "counts sockets of the machine it is on; what they are of is the caller's to know"},
	{"link", []string{"."}, "shared by the lab and the simulator, so it may know neither"},
	{"dns", []string{"."}, "messages of DNS, the same for both sides; it knows no sockets"},
	{"live", []string{".", "trace", "policy", "dns"}, "an engine: a stranger to the other engines"},
	{"browser", []string{".", "trace"}, "an engine: a stranger to the other engines"},
	{"sim", []string{".", "trace", "policy", "link", "sim/quic", "sim/tcp", "sim/tls"}, "an engine: a stranger to the other engines; shares policy and link with the lab, not sockets"},
	{"sim/tcp", []string{"."}, "a model of one end of TCP; knows neither hosts nor HTTP"},
	{"sim/quic", []string{"."}, "a model of one end of QUIC; knows neither hosts nor HTTP, and nothing of the stack that it models"},
	{"sim/tls", nil, "sizes of TLS; knows nothing of what is in it"},
	{"capture/har", []string{".", "trace"}, "an engine: a stranger to the other engines"},
	{"capture/pcap", []string{"."}, "files into frames; what a frame holds is for others to know"},
	{"capture/http1", []string{".", "trace"}, "two streams of bytes into exchanges; how they were captured is for others to know"},
	{"capture/packet", []string{".", "trace", "flow", "dns", "capture/pcap", "capture/http1"}, "an engine: a stranger to the other engines"},
	{"origin", []string{".", "trace", "policy", "dns"}, "the other side; it must not know how the client measures"},
	{"lab", []string{".", "trace", "flow", "link", "sockdiag", "stats"}, "carries packets of any program; knows neither client nor origin"},
	{"infer", []string{".", "trace", "stats"}, "reads traces only, whichever engine wrote them"},
	{"run", []string{".", "trace", "stats"}, "declares the engine that it needs, cmd hands one in; a test says when trials are enough"},
	{"compare", []string{".", "trace", "stats", "finding", "assert"}, "reads traces only, whichever engine wrote them"},
	{"assert", []string{".", "finding"}, "conditions on named figures; knows no result, so that every verb can have it"},
	{"profile", []string{".", "trace", "stats", "finding", "assert"}, "the document of a server's treatment of connections; knows no sockets, so that reports may read it"},
	{"conformance", []string{".", "finding", "assert", "profile"}, "holds a profile against the standards; knows no sockets, so that it can be tested by tables"},
	{"keepalive", []string{".", "finding", "assert", "profile"}, "idle limits held against each other, and what sets them; knows no sockets"},
	{"audit", []string{".", "trace", "policy", "stats", "finding", "assert", "keepalive"}, "observed records into causes and their prices; knows no capture, no socket and no clock"},
	{"probe", []string{".", "trace", "live", "dns", "finding", "profile", "conformance"}, "asks a server what it does; speaks itself where live would repair what is to be seen"},
	{"report/table", []string{".", "finding"}, "tables as data, whatever they are of and however they are laid out"},
	{"report/words", []string{".", "finding", "compare", "assert", "profile", "keepalive", "audit"}, "sentences from findings; no layout"},
	{"report", []string{".", "trace", "finding", "compare", "assert", "profile", "report/table", "audit"}, "what is to be seen of a result; no engine, no layout"},
	{"report/text", []string{".", "trace", "finding", "compare", "assert", "profile", "keepalive", "report", "report/table", "report/words", "audit"}, "one rendering, for terminals: a stranger to the page"},
	{"report/html", []string{".", "trace", "finding", "compare", "assert", "profile", "report", "report/table", "report/words"}, "another rendering, as pages: a stranger to the text"},
	{"report/formats", []string{".", "finding", "compare", "assert", "profile", "keepalive", "report", "report/table", "report/words", "audit"}, "what programs read; it reads nothing that is made for people"},
	{"predictor", []string{".", "trace", "sim", "finding", "compare", "report/words"}, "the simulator as a page has it: wiring, without sockets, clock and files"},
	{"docs", nil, "what the program shows of its documents; it reads nothing but them"},
	{"cmd/linger", []string{"*"}, "wiring: the one place that knows every room"},
	{"internal/textbook", []string{".", "trace"}, "experiments made up for the tests of compare and report; no engine behind them"},
	{"internal/results", []string{".", "finding", "compare", "assert", "profile", "conformance", "report"}, "results made up in memory, on which the tests of report's rooms stand"},
	{"internal/tshark", []string{"trace"}, "what tshark counts in a capture, for the tests of whatever reads one"},
	{"internal/played", []string{"*"}, "plays hosts, captures and audits them: it needs both ends, and what lies between"},
	{"internal/archtest", []string{"*"}, "looks at all of them"},
}

// doors says which rooms third parties may enter.
var doors = []struct {
	module string
	rooms  []string
	reason string
}{
	{"github.com/alecthomas/kong", []string{"cmd/linger"}, "the command line is cmd's"},
	{"github.com/vishvananda/netlink", []string{"lab"}, "addresses and routes are made in the lab only"},
	{"golang.org/x/perf", []string{"stats"}, "one place decides how sure we are"},
	{"golang.org/x/sys", []string{"lab", "live", "origin", "sockdiag"}, "socket options, namespaces and netlink; cmd asks these rooms"},
	{"golang.org/x/term", []string{"cmd/linger"}, "only cmd decides about terminals"},
	{"golang.org/x/net", []string{"live", "origin", "probe", "sim"}, "HTTP/2's frames are spoken, and HTML is read, where sockets are; sim compresses heads as they do"},
	{"github.com/miekg/dns", []string{"dns"}, "one door, so that its successor can come in by it"},
	{"github.com/klauspost/compress", []string{"capture/pcap"}, "captures are kept compressed, with zstd too; what is decompressed goes on as bytes"},
	{"github.com/quic-go", []string{"live", "origin", "probe"}, "QUIC is spoken where sockets are"},
}

// outside are the rooms where time, luck and sockets come from the world; in all
// others they are arguments, so that what they compute can be computed again.
var outside = []string{"live", "browser", "origin", "lab", "run", "probe", "cmd/linger", "internal/archtest"}

// worldly are the names that read the world, and who besides outside may not.
var worldly = map[string][]string{
	"time":         {"Now", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Since", "Until"},
	"net":          {"Dial", "DialTimeout", "DialTCP", "DialUDP", "Listen", "ListenTCP", "ListenUDP", "ListenPacket", "LookupHost"},
	"math/rand/v2": {"Int", "IntN", "Int64", "Int64N", "Uint64", "Float64", "Perm", "Shuffle", "N"},
	"math/rand":    {"Int", "Intn", "Float64", "Perm", "Shuffle", "Seed"},
	"crypto/rand":  {"Read", "Int", "Text"},
}

// processWide are the names that only cmd may use: exits, arguments, environment.
var processWide = map[string][]string{
	"os": {"Exit", "Args", "Getenv", "LookupEnv", "Environ", "Setenv"},
}

// wordless are the rooms that return codes and figures: what they found is said in
// report/words, and nowhere else. What they may say in English are errors.
var wordless = []string{"audit", "compare", "finding"}

// worded are their files that may say more, with the reason.
var worded = map[string]string{
	"audit/figures.go":   "what the names of assertions stand for is documentation, and why one is not known stands in their results",
	"compare/figures.go": "what the names of assertions stand for is documentation, and why one is not known stands in their results",
	"compare/traffic.go": "the same",
}

// wording are the names that put texts together.
var wording = map[string][]string{"fmt": {"Sprint", "Sprintf", "Sprintln", "Appendf", "Fprintf", "Fprint", "Fprintln"}}

// blanks is from how many of them on a text is taken for a sentence.
const blanks = 3

type file struct {
	room, path string
	ast        *ast.File
}

// sources parses every Go file that is not a test.
func sources(t *testing.T) []file {
	t.Helper()
	var files []file
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files = append(files, file{filepath.ToSlash(filepath.Dir(rel)), filepath.ToSlash(rel), parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImportsPointTowardsTheNouns(t *testing.T) {
	seen := map[string]bool{"internal/archtest": true, "internal/played": true} // hold tests only
	for _, f := range sources(t) {
		i := slices.IndexFunc(rooms, func(r room) bool { return r.name == f.room })
		if i < 0 {
			t.Errorf("%s: the room %q is not in the table; draw it there and in docs/design.md, with the reason", f.path, f.room)
			continue
		}
		seen[f.room] = true
		for _, spec := range f.ast.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			rel, ours := strings.CutPrefix(path, "linger")
			if !ours || rel != "" && rel[0] != '/' {
				continue
			}
			rel = strings.TrimPrefix(rel, "/")
			if rel == "" {
				rel = "."
			}
			if !slices.Contains(rooms[i].imports, rel) && !slices.Contains(rooms[i].imports, "*") {
				t.Errorf("%s imports %s, and may not: %s", f.path, path, rooms[i].reason)
			}
		}
	}
	for _, r := range rooms {
		if !seen[r.name] {
			t.Errorf("the table has a room %q that does not exist; take it out", r.name)
		}
	}
}

func TestThirdPartiesUseTheirDoors(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		for _, spec := range f.ast.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
				continue // the standard library or this module
			}
			found := false
			for _, d := range doors {
				if path != d.module && !strings.HasPrefix(path, d.module+"/") {
					continue
				}
				found, seen[d.module] = true, true
				if !slices.Contains(d.rooms, f.room) {
					t.Errorf("%s imports %s, and may not: %s", f.path, path, d.reason)
				}
			}
			if !found {
				t.Errorf("%s imports %s, which has no door; give it one here and a line in docs/decisions.md", f.path, path)
			}
		}
	}
	for _, d := range doors {
		if !seen[d.module] {
			t.Errorf("the table has a door for %s that nobody uses; take it out", d.module)
		}
	}
}

func TestTimeLuckAndSocketsAreArguments(t *testing.T) {
	for _, f := range sources(t) {
		if !slices.Contains(outside, f.room) {
			forbid(t, f, worldly, "time, luck and sockets are arguments here")
		}
		if f.room != "cmd/linger" {
			forbid(t, f, processWide, "only cmd exits and reads arguments and environment")
		}
	}
}

func TestAnalysesHoldNoSentences(t *testing.T) {
	const reason = "it returns codes and figures; the sentence is made in report/words"
	excused := 0
	for _, f := range sources(t) {
		if worded[f.path] != "" {
			excused++
		}
		if !slices.Contains(wordless, f.room) || worded[f.path] != "" {
			continue
		}
		forbid(t, f, wording, reason)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				n.Tag = nil
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok {
					break
				}
				pkg, ok := sel.X.(*ast.Ident)
				return !ok || pkg.Name+"."+sel.Sel.Name != "errors.New" && pkg.Name+"."+sel.Sel.Name != "fmt.Errorf"
			case *ast.BasicLit:
				if n.Kind == token.STRING && strings.Count(n.Value, " ") >= blanks {
					t.Errorf("%s says %s, and may not: %s", f.path, n.Value, reason)
				}
			}
			return true
		})
	}
	if excused != len(worded) {
		t.Errorf("the list excuses %d files, and %d are there", len(worded), excused)
	}
}

func forbid(t *testing.T, f file, names map[string][]string, reason string) {
	t.Helper()
	local := map[string]string{}
	for _, spec := range f.ast.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if _, ok := names[path]; !ok {
			continue
		}
		name := strings.TrimSuffix(path, "/v2")
		name = name[strings.LastIndex(name, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		local[name] = path
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Obj == nil && slices.Contains(names[local[id.Name]], sel.Sel.Name) {
			t.Errorf("%s uses %s.%s, and may not: %s", f.path, id.Name, sel.Sel.Name, reason)
		}
		return true
	})
}
