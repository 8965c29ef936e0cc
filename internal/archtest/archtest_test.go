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
	{"legible", nil, "foreign text for whatever shows it; it knows neither results nor layout"},
	{"whole", nil, "files that replace when they are whole; what is in them is for others to know"},
	{"fault", nil, "what an error is about; which status that comes to is cmd's to know"},
	{"stats", nil, "numbers know nothing of networks"},
	{"finding", []string{"."}, "what analyses hand on, and how numbers are written; no engine, no sentence"},
	{"trace", []string{"."}, "what happened, in terms of the nouns"},
	{"policy", []string{"."}, "shared by the measured and the predicted world, so it may know neither"},
	{"flow", []string{"."}, "packets into connections, whoever captured or carried them; it knows neither files nor devices"},
	{"sockdiag", nil, "counts sockets of the machine it is on; what they are of is the caller's to know"},
	{"wire", nil, "what several rooms say in bytes; it knows neither sockets nor who speaks"},
	{"link", []string{"."}, "shared by the lab and the simulator, so it may know neither"},
	{"dns", []string{"."}, "messages of DNS, the same for both sides; it knows no sockets"},
	{"content", []string{"."}, "bodies out of a workload, the same for both sides; it knows no sockets"},
	{"dial", []string{"."}, "opens connections, whatever is spoken on them, and knows what the network's errors mean"},
	{"ask", []string{".", "dns"}, "what clients say, in bytes; whoever sends it has the sockets"},
	{"page", []string{".", "trace"}, "what a page at a URL is made of; whoever fetches it, and how, is for others to know"},
	{"live", []string{".", "live/seen", "ask", "dial", "page", "wire", "content", "trace", "policy", "dns"}, "an engine: a stranger to the other engines"},
	{"live/seen", []string{"dial", "wire"}, "what the events of the QUIC stack say; knows neither run nor requests"},
	{"browser", []string{".", "content", "trace"}, "an engine: a stranger to the other engines"},
	{"sim", []string{".", "wire", "trace", "policy", "link", "sim/alarm", "sim/fields", "sim/quic", "sim/tcp", "sim/tls"}, "an engine: a stranger to the other engines; shares policy and link with the lab, not sockets"},
	{"sim/alarm", []string{"."}, "who is woken next; knows nobody"},
	{"sim/fields", []string{"."}, "sizes of heads; knows nothing of what carries them"},
	{"sim/tcp", []string{"."}, "a model of one end of TCP; knows neither hosts nor HTTP"},
	{"sim/quic", []string{".", "wire"}, "a model of one end of QUIC; knows neither hosts nor HTTP, and nothing of the stack that it models"},
	{"sim/tls", []string{"wire"}, "sizes of TLS; knows nothing of what is in it"},
	{"capture/har", []string{".", "trace"}, "an engine: a stranger to the other engines"},
	{"capture/pcap", []string{"."}, "files into frames; what a frame holds is for others to know"},
	{"capture/talk", []string{".", "trace"}, "what readers of one connection's bytes have in common; what is spoken is for them to know"},
	{"capture/http1", []string{".", "trace", "capture/talk"}, "two streams of bytes into exchanges; how they were captured is for others to know"},
	{"capture/http2", []string{".", "trace", "wire", "capture/talk", "capture/fields"}, "two streams of bytes into exchanges; how they were captured, or decrypted, is for others to know"},
	{"capture/http3", []string{".", "trace", "wire", "capture/talk", "capture/fields"}, "streams of QUIC into exchanges; how they were captured and decrypted is for others to know"},
	{"capture/fields", []string{"."}, "compressed heads into the fields that records need; what a head is of is for others to know"},
	{"capture/secrets", nil, "secrets of TLS by the connection that they are of; who uses them is for others to know"},
	{"capture/tls", []string{".", "trace", "wire", "capture/talk", "capture/secrets"}, "two streams of records into what they carry, and what the handshake tells; what is in them is for others to know"},
	{"capture/quic", []string{".", "trace", "wire", "capture/talk", "capture/secrets", "capture/tls"}, "datagrams into streams; what the streams carry is for others to know"},
	{"capture/turns", []string{".", "trace", "wire", "capture/talk"}, "sizes and times of what is encrypted into exchanges, inferred; it reads no content"},
	{"capture/zeek", []string{".", "trace"}, "an engine: a stranger to the other engines"},
	{"capture/qlog", []string{".", "trace", "wire"}, "an engine: a stranger to the other engines"},
	{"capture/weblog", nil, "lines of a log into entries; what they tell of connections is for others to know"},
	{"capture/joined", []string{".", "trace"}, "records of two places into one; how they were made is for others to know"},
	{"capture/packet", []string{".", "wire", "trace", "flow", "dns", "capture/pcap", "capture/talk", "capture/http1", "capture/http2", "capture/http3", "capture/secrets", "capture/tls", "capture/quic", "capture/turns"}, "an engine: a stranger to the other engines"},
	{"origin", []string{".", "wire", "trace", "policy", "origin/accesslog", "origin/gate", "origin/head", "origin/listen", "origin/misbehave", "origin/site"}, "the other side; it must not know how the client measures"},
	{"origin/gate", []string{".", "policy"}, "who comes in and who is served first, for goroutines; it knows neither sockets nor clocks"},
	{"origin/accesslog", []string{"trace"}, "lines of a log; what wrote them is for others to know"},
	{"origin/authority", []string{"content", "origin/head"}, "certificates; what they secure is for others to know"},
	{"origin/door", []string{".", "dial", "fault", "origin", "origin/authority", "origin/listen"}, "where an origin is served, and until when; what it serves is the origin's to know"},
	{"origin/head", []string{"."}, "heads of requests taken apart; it knows neither sockets nor what is answered"},
	{"origin/listen", nil, "sockets to listen on; what is spoken on them is for others to know"},
	{"origin/misbehave", []string{"policy"}, "breaches by name, as parameters of a policy; no server of its own"},
	{"origin/site", []string{".", "content", "dns", "origin/head", "origin/misbehave"}, "what is answered to a request, of HTTP or DNS; it knows neither sockets nor clocks"},
	{"lab", []string{".", "trace", "lab/pump", "sockdiag"}, "makes hosts for any program; knows neither client nor origin"},
	{"lab/pump", []string{".", "trace", "flow", "link", "stats"}, "carries packets of any program; knows neither namespaces nor who made the hosts"},
	{"service", []string{"lab", "sockdiag"}, "a server of the user's own on a host of a lab; knows neither what it speaks nor who measures it"},
	{"relay", []string{"."}, "carries connections from a listener to a server, whoever made either; it knows neither lab nor HTTP"},
	{"infer", []string{".", "trace"}, "reads traces only, whichever engine wrote them"},
	{"run", []string{".", "trace", "stats"}, "declares the engine that it needs, cmd hands one in; a test says when trials are enough"},
	{"compare/facts", []string{".", "trace", "stats"}, "what one trace tells; it knows neither strategies nor results"},
	{"compare/times", []string{".", "trace", "stats", "finding"}, "holds times against each other, whoever took them: results and sweeps share it"},
	{"compare", []string{".", "trace", "stats", "finding", "assert", "compare/facts", "compare/times"}, "reads traces only, whichever engine wrote them"},
	{"compare/assertion", []string{".", "trace", "finding", "assert", "compare", "compare/crowd", "compare/facts"}, "figures of a result by their names; nothing is found here"},
	{"compare/difference", []string{".", "trace", "stats", "finding", "compare", "compare/facts", "compare/times"}, "reads results only"},
	{"compare/across", []string{".", "finding", "assert", "compare"}, "reads results only"},
	{"compare/crowd", []string{".", "trace", "stats", "finding", "assert", "policy"}, "records of many clients into figures; no engine, no sentence"},
	{"compare/capacity", []string{".", "trace", "stats", "finding", "assert", "tally"}, "counts of loads into what connections cost; it knows no engine"},
	{"compare/crowdsweep", []string{".", "trace", "finding", "policy", "compare", "compare/crowd", "compare/times"}, "one crowd at a time, so that a sweep keeps no records"},
	{"compare/sweep", []string{".", "trace", "stats", "finding", "compare", "compare/facts", "compare/times"}, "one trial at a time, so that a sweep keeps no traces"},
	{"ladder", []string{".", "trace"}, "reads a trace only, whichever engine wrote it; returns messages, no words"},
	{"assert", []string{".", "finding"}, "conditions on named figures; knows no result, so that every verb can have it"},
	{"profile", []string{".", "trace", "stats", "finding", "assert"}, "the document of a server's treatment of connections; knows no sockets, so that reports may read it"},
	{"conformance", []string{".", "finding", "assert", "profile"}, "holds a profile against the standards; knows no sockets, so that it can be tested by tables"},
	{"keepalive", []string{".", "finding", "assert", "profile"}, "idle limits held against each other, and what sets them; knows no sockets"},
	{"audit/limit", []string{"."}, "gaps, numbers and ages into limits; whose they are is for others to know"},
	{"audit/handshake", []string{".", "trace", "audit/limit"}, "handshakes of TLS into what they took and could have saved; why a connection was opened is for others to know"},
	{"audit/predict", []string{".", "policy"}, "requests into what other connections would have taken; it knows no record"},
	{"audit/inference", nil, "counts inferred beside counts that are known; whose they are is for others to know"},
	{"audit/timeline", []string{".", "trace", "audit"}, "audited connections over time, as much as a drawing needs; who draws it is for others to know"},
	{"audit/change", []string{".", "audit", "audit/handshake"}, "reads results only"},
	{"audit", []string{".", "trace", "policy", "stats", "finding", "assert", "keepalive", "audit/handshake", "audit/inference", "audit/limit", "audit/predict"}, "observed records into causes and their prices; knows no capture, no socket and no clock"},
	{"probe", []string{".", "ask", "page", "dial", "finding", "profile", "conformance", "probe/prober", "probe/http1", "probe/http2", "probe/http3", "probe/secure", "probe/dns"}, "the way in: chooses what a server is asked, and asks it"},
	{"probe/prober", []string{".", "trace", "dial", "ask", "finding", "profile", "conformance", "probe/limits"}, "what all experiments share: connections, bounds, waits, the profile; it knows no protocol above TLS"},
	{"probe/limits", []string{".", "profile", "conformance"}, "what was seen of connections into limits; knows no sockets, so that it can be tested by tables"},
	{"probe/http1", []string{".", "dial", "profile", "conformance", "probe/prober", "probe/limits"}, "speaks HTTP/1 itself, since a client would repair what is to be seen"},
	{"probe/http2", []string{".", "wire", "profile", "conformance", "probe/prober", "probe/limits"}, "speaks HTTP/2 itself, since a client would repair what is to be seen"},
	{"probe/http3", []string{".", "dial", "wire", "profile", "conformance", "probe/prober", "probe/limits"}, "speaks HTTP/3 itself over QUIC"},
	{"probe/dns", []string{".", "dial", "dns", "wire", "profile", "conformance", "probe/prober", "probe/limits"}, "asks a server of names; a stranger to HTTP"},
	{"probe/secure", []string{".", "wire", "profile", "conformance", "probe/prober", "probe/http1"}, "TLS by itself; a request of HTTP/1 shows tickets and ends"},
	{"report/table", []string{".", "finding", "legible"}, "tables as data, whatever they are of and however they are laid out"},
	{"tune", []string{".", "stats", "finding", "assert", "keepalive"}, "arrivals into settings; knows no log, no socket and no clock"},
	{"report/words", []string{".", "finding", "compare", "compare/across", "compare/capacity", "compare/crowd", "compare/crowdsweep", "compare/difference", "compare/sweep", "compare/times", "assert", "profile", "keepalive", "legible", "audit", "audit/change", "audit/predict", "tune", "tally"}, "sentences from findings; no layout"},
	{"report", []string{".", "trace", "finding", "compare", "compare/across", "compare/capacity", "compare/difference", "compare/facts", "compare/times", "assert", "profile", "report/table", "audit", "audit/change", "audit/handshake", "audit/predict", "tune", "tally"}, "what is to be seen of a result; no engine, no layout"},
	{"report/trial", []string{".", "trace", "stats", "finding", "compare/facts", "ladder", "report/table"}, "what is to be seen of one trial; it knows nothing of what several come to"},
	{"report/sweepmap", []string{".", "finding", "compare/sweep", "compare/times", "report/table"}, "the part of a sweep that is drawn, for whoever draws it; it holds no more than that"},
	{"report/crowds", []string{".", "finding", "compare", "compare/crowd", "policy", "report", "report/table", "report/words", "trace"}, "what is to be seen of many clients, for whoever draws it; no layout"},
	{"report/crowdmap", []string{".", "finding", "compare/crowd", "compare/crowdsweep", "report", "report/crowds", "report/sweepmap", "report/table", "report/words"}, "what is to be seen of a sweep of crowds, for whoever draws it; no layout"},
	{"report/terminal", []string{".", "report/table"}, "paragraphs and tables in the room of a terminal; it knows nothing of what is in them"},
	{"report/text", []string{".", "trace", "finding", "compare", "compare/across", "compare/capacity", "compare/difference", "compare/facts", "compare/crowd", "compare/crowdsweep", "compare/sweep", "compare/times", "ladder", "assert", "profile", "keepalive", "report", "report/crowds", "report/trial", "report/crowdmap", "report/sweepmap", "report/table", "report/terminal", "report/words", "audit", "audit/change", "tune", "tally"}, "one rendering, for terminals: a stranger to the page"},
	{"report/html/draw", []string{".", "finding", "report/table"}, "what templates draw: strips, marks, tables; it knows nothing of what is in them"},
	{"report/html/recorded", []string{".", "finding", "trace", "audit", "audit/limit", "audit/timeline", "report", "report/html/draw", "report/table", "report/words"}, "charts of recorded connections, and what a script needs to draw them; it knows no page"},
	{"report/html/overtime", []string{".", "trace", "finding", "compare/crowd", "report", "report/html/draw", "report/table"}, "charts of a crowd over time; it knows no page"},
	{"report/html", []string{".", "trace", "finding", "compare", "compare/across", "compare/crowd", "compare/difference", "compare/facts", "compare/crowdsweep", "compare/sweep", "compare/times", "ladder", "assert", "audit", "audit/predict", "audit/timeline", "profile", "report", "report/crowds", "report/html/draw", "report/html/overtime", "report/html/recorded", "report/trial", "report/crowdmap", "report/sweepmap", "report/table", "report/words", "tune"}, "another rendering, as pages: a stranger to the text"},
	{"report/formats", []string{".", "trace", "finding", "legible", "compare", "compare/across", "compare/capacity", "compare/crowd", "compare/difference", "compare/facts", "compare/crowdsweep", "compare/sweep", "compare/times", "assert", "policy", "profile", "keepalive", "report", "report/trial", "report/crowdmap", "report/crowds", "report/sweepmap", "report/words", "audit", "audit/change", "tune", "tally"}, "what programs read; it reads nothing that is made for people"},
	{"report/underway", []string{"trace", "run", "compare", "console", "report/text"}, "figures so far on a terminal; it knows no engine and runs nothing"},
	{"report/document", []string{".", "trace", "finding", "fault", "docs", "compare", "compare/across", "compare/assertion", "compare/capacity", "compare/crowd", "compare/difference", "compare/facts", "compare/crowdsweep", "compare/sweep", "assert", "audit", "audit/change", "audit/timeline", "keepalive", "profile", "tune", "report", "report/trial", "report/crowdmap", "report/crowds", "report/sweepmap", "report/words", "report/text", "report/html", "report/formats", "records"}, "one result in every format: it chooses a rendering, and lays nothing out itself"},
	{"rig", []string{".", "trace", "policy", "dns", "page", "fault", "legible", "whole", "lab", "live", "browser", "sim", "capture/har", "infer", "run", "dial", "rig/far", "rig/host"}, "worlds put together as engines; it knows neither command lines nor terminals"},
	{"rig/crowds", []string{".", "trace", "policy", "fault", "lab", "live", "sim", "run", "compare/crowd", "rig", "rig/far", "rig/host"}, "worlds of many clients put together as engines; what their records come to is for others to know"},
	{"rig/loads", []string{".", "fault", "load", "tally"}, "loads in turns, and a server's processes beside; it knows neither command lines nor what the turns come to"},
	{"rig/far", []string{".", "trace", "policy", "fault", "whole", "lab", "live", "service", "relay", "rig/host"}, "what serves at the far end of a lab's path; it knows no experiment"},
	{"rig/host", []string{".", "ask", "trace", "policy", "lab", "dial", "live", "browser", "origin", "origin/accesslog", "origin/authority", "origin/gate", "origin/listen"}, "both ends of the conversation with a process on a host of a lab; it knows no experiment"},
	{"rig/sweeps", []string{".", "fault", "compare/crowd", "compare/crowdsweep", "rig", "rig/crowds"}, "crowds of a grid by the simulator; it knows neither command lines nor what is written"},
	{"predictor", []string{".", "trace", "sim", "compare/sweep", "report/words"}, "the simulator as a page has it: wiring, without sockets, clock and files"},
	{"docs", nil, "what the program shows of its documents; it reads nothing but them"},
	{"observe", []string{".", "trace", "capture/joined", "capture/packet", "capture/pcap", "capture/secrets", "finding", "fault", "audit", "audit/timeline", "capture/har", "capture/zeek", "capture/qlog", "records"}, "what was captured into an audit; it knows neither flags nor what is written"},
	{"records", []string{".", "trace", "finding", "audit"}, "what was observed as rows of a file, and back; knows neither who observed nor what is said of it"},
	{"observe/logs", []string{".", "capture/weblog", "finding", "fault", "keepalive", "observe", "report/table", "tune"}, "what was logged into a tuning; it knows neither flags nor what is written"},
	{"tally", []string{".", "stats"}, "what a load came to, counted; who drives it and what it means are others' to know"},
	{"load/plan", []string{".", "policy"}, "when requests of a load are sent; whoever sends them has clock and sockets"},
	{"load/answer", nil, "bytes into responses; it knows neither sockets nor who asked"},
	{"load", []string{".", "ask", "dial", "load/answer", "load/plan", "policy", "tally"}, "an engine: a stranger to the other engines; what it counts is for others to judge"},
	{"build", nil, "how this program was built; who says so is cmd's to know"},
	{"complete", []string{".", "audit/predict", "compare/capacity", "compare/assertion", "conformance", "keepalive", "origin/misbehave"}, "what may stand at a cursor; which verbs and flags there are it is told"},
	{"console", []string{".", "fault", "legible", "whole", "report/terminal", "report/text"}, "where words go, whatever they are about: it knows neither verbs nor results"},
	{"flags", []string{".", "ask", "assert", "console", "dial", "dns", "fault", "live", "policy", "rig", "rig/far", "rig/host"}, "groups of flags as what they come to, the same for every verb; how a line is parsed is cmd's to know"},
	{"cmd/linger", []string{"*"}, "wiring: the one place that knows every room"},
	{"internal/textbook", []string{".", "trace"}, "experiments made up for the tests of compare and report; no engine behind them"},
	{"internal/crowds", []string{".", "trace", "policy"}, "records of crowds made up for the tests of whatever reads them; no engine behind them"},
	{"internal/results", []string{".", "finding", "trace", "policy", "compare", "compare/crowd", "compare/crowdsweep", "compare/sweep", "assert", "audit", "audit/timeline", "profile", "conformance", "report/sweepmap"}, "results made up in memory, on which the tests of report's rooms stand"},
	{"internal/tshark", []string{"trace"}, "what tshark counts in a capture, for the tests of whatever reads one"},
	{"internal/testall", nil, "what LINGER_TEST_ALL=1 asks of the tests of every room, and what several of them need alike"},
	{"internal/testcert", nil, "certificates for the tests of whoever needs one"},
	{"internal/whatif", []string{"*"}, "plays clients and servers with other settings, and holds predictions against that: it needs both ends, and what lies between"},
	{"internal/played", []string{"*"}, "plays hosts, captures and audits them: it needs both ends, and what lies between"},
	{"internal/inferred", []string{"*"}, "has captures taken whose requests are known, and reads them: it needs both ends, and what lies between"},
	{"internal/decrypted", []string{"*"}, "captures of encrypted traffic held against whoever else knows it: it needs the lab, programs and readers"},
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
	{"golang.org/x/sys", []string{"lab", "lab/pump", "dial", "load", "origin/listen", "sockdiag"}, "socket options, namespaces and netlink; cmd asks these rooms"},
	{"golang.org/x/crypto", []string{"capture/quic", "capture/tls"}, "ChaCha20-Poly1305, which the standard library keeps to itself; QUIC's packets are opened beside"},
	{"golang.org/x/term", []string{"console"}, "one room knows about terminals; cmd hands it the files"},
	{"golang.org/x/net", []string{"ask", "live", "origin", "origin/listen", "page", "probe/http2", "sim/fields"}, "HTTP/2's frames are spoken where sockets are; page reads HTML; sim/fields compresses heads as they do"},
	{"github.com/miekg/dns", []string{"dns"}, "one door, so that its successor can come in by it"},
	{"github.com/klauspost/compress", []string{"capture/pcap", "capture/weblog", "observe"}, "captures and logs are kept compressed, with zstd too; what is decompressed goes on as bytes"},
	{"github.com/parquet-go/parquet-go", []string{"records"}, "one form of the rows; what they are is linger's own"},
	{"github.com/quic-go", []string{"live/seen", "dial", "live", "load", "origin", "probe/http3"}, "QUIC is spoken where sockets are"},
}

// outside are the rooms where time, luck and sockets come from the world; in all
// others they are arguments, so that what they compute can be computed again.
var outside = []string{"live/seen", "dial", "live", "load", "browser", "origin", "origin/authority", "origin/listen", "lab", "lab/pump", "service", "relay", "run", "probe", "probe/prober", "probe/http1", "probe/http2", "probe/http3", "probe/dns", "rig", "rig/crowds", "rig/far", "rig/host", "rig/loads", "console", "cmd/linger", "internal/archtest", "internal/testall", "internal/testcert"}

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
var wordless = []string{"audit", "audit/change", "audit/limit", "audit/predict", "compare", "compare/across", "compare/assertion", "compare/capacity", "compare/crowd", "compare/crowdsweep", "compare/difference", "compare/facts", "compare/sweep", "compare/times", "finding", "tune"}

// worded are their files that may say more, with the reason.
var worded = map[string]string{
	"audit/figures.go":               "what the names of assertions stand for is documentation, and why one is not known stands in their results",
	"tune/figures.go":                "what an assertion may name, in the words of its help",
	"compare/assertion/assertion.go": "what the names of assertions stand for is documentation, and why one is not known stands in their results",
	"compare/assertion/crowd.go":     "the same",
	"compare/capacity/figures.go":    "the same",
	"compare/assertion/traffic.go":   "the same",
}

// wording are the names that put texts together.
var wording = map[string][]string{"fmt": {"Sprint", "Sprintf", "Sprintln", "Appendf", "Fprintf", "Fprint", "Fprintln"}}

// blanks is from how many of them on a text is taken for a sentence.
const blanks = 3

type file struct {
	room, path string
	ast        *ast.File
	fset       *token.FileSet
}

// lines is how many lines a part of the file has.
func (f file) lines(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
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
		files = append(files, file{filepath.ToSlash(filepath.Dir(rel)), filepath.ToSlash(rel), parsed, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImportsPointTowardsTheNouns(t *testing.T) {
	seen := map[string]bool{"internal/archtest": true, "internal/played": true, "internal/whatif": true, "internal/inferred": true, "internal/decrypted": true} // hold tests only
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
		if f.room != "cmd/linger" && f.room != "internal/testall" { // that one is for tests, and reads what they are asked
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
