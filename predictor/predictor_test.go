package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/sim"
)

var rewrite = flag.Bool("update", false, "build what report/html/page embeds")

const (
	committed = "../report/html/page/predictor.wasm.gz"
	// recorded says what it was built with and from.
	recorded = "testdata/built.json"
)

// A record is what stands in testdata/built.json.
type record struct {
	Go      string `json:"go"`
	Sources string `json:"sources_sha256"` // of this module's files, and the versions of others
	Bytes   int    `json:"bytes"`          // before compression
	Gzipped int    `json:"gzipped_bytes"`
}

// sources returns the hash of every file of this module that goes into it, and of the
// versions of other modules.
func sources(t *testing.T) string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-f", `{{if .Module}}{{$d := .Dir}}{{if .Module.Version}}{{.Module.Path}}@{{.Module.Version}}{{"\n"}}{{else}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`, ".")
	list.Env = wasm()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	parts := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(parts)
	for _, part := range slices.Compact(parts) {
		if !strings.HasSuffix(part, ".go") {
			io.WriteString(h, part+"\n") // a module
			continue
		}
		b, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, part)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(h, filepath.ToSlash(rel)+"\n")
		h.Write(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func wasm() []string {
	return append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWASM=")
}

// build compiles it: the same bytes wherever the same Go does.
func build(t *testing.T) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "predictor.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", name, ".")
	cmd.Env = wasm()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What reports embed was built from the sources that are here. Where the same Go is at
// hand and all is to be tested, it is built again and must be the same; otherwise the
// sources must be.
func TestCommittedIsCurrent(t *testing.T) {
	if *rewrite {
		code := build(t)
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		z.Write(code)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(record{runtime.Version(), sources(t), len(code), b.Len()}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(committed, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(recorded, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes, %d compressed", len(code), b.Len())
		return
	}
	const again = "; run go generate ./predictor"
	b, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatalf("%v%s", err, again)
	}
	var was record
	if err := json.Unmarshal(b, &was); err != nil {
		t.Fatalf("%v%s", err, again)
	}
	f, err := os.Open(committed)
	if err != nil {
		t.Fatalf("%v%s", err, again)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%v%s", err, again)
	}
	code, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%v%s", err, again)
	}
	switch {
	case len(code) != was.Bytes:
		t.Errorf("%d bytes, and %s says %d%s", len(code), recorded, was.Bytes, again)
	case !testall.Asked() || was.Go != runtime.Version():
		if sources(t) != was.Sources {
			t.Errorf("%s was built from other sources%s", committed, again)
		}
	case !bytes.Equal(code, build(t)):
		t.Errorf("%s is not what these sources build to%s", committed, again)
	}
}

// What it is built from leaves the network, and cryptography that moves secrets, out:
// they would be most of it.
func TestItStaysSmall(t *testing.T) {
	list := exec.Command("go", "list", "-deps", ".")
	list.Env = wasm()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if p == "net" || p == "net/http" || p == "crypto/tls" {
			t.Errorf("it imports %s: find out by go mod why or go list -deps -test=false, and do without", p)
		}
	}
	if info, err := os.Stat(committed); err == nil && info.Size() > 1_600_000 {
		t.Errorf("%d bytes, compressed; a report should not carry so much", info.Size())
	}
}

// A session predicts what the simulator predicts, and says what is wrong.
func TestSession(t *testing.T) {
	ask := request{
		Config: sim.Config{Host: "origin", Agent: "linger/test"}, Workload: linger.Workload{Scheme: "https"}, Named: "objects:3x5000",
		Strategies: []string{"close", "h2"}, Network: linger.Network{RTT: 70e6, Down: linger.Mbps, Up: linger.Mbps, Queue: linger.DefaultQueue, Loss: 0.02}, Seed: 1, Trials: 3,
	}
	text, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	s, err := begin(text)
	if err != nil {
		t.Fatal(err)
	}
	steps := 1
	for s.step() {
		steps++
	}
	out, err := s.result()
	if err != nil || steps != 6 || !bytes.Contains(out, []byte(`"strategy":"h2","persistent":true,"trials":3,"failed":0,"time_ms"`)) {
		t.Errorf("%d steps, %v: %s", steps, err, out)
	}
	// Names, with what their messages come to, and pages of several origins.
	names := linger.Workload{Name: "names", Scheme: linger.SchemeDNS, Exchanges: []linger.Exchange{{Query: linger.Query{Name: "host.example", Type: "A"}, Parent: linger.NoParent}}}
	page := linger.Workload{Name: "page", Scheme: "https", Origins: []linger.Origin{{Name: "a.example"}, {Name: "b.example", ExtraRTT: linger.Known(30 * time.Millisecond)}},
		Exchanges: []linger.Exchange{{Method: "GET", Path: "/", Status: 200, ResponseBody: 10, Parent: linger.NoParent, Origin: 1}}}
	for _, x := range []struct {
		w        linger.Workload
		strategy string
		trips    float64
	}{{names, "udp", 70}, {names, "tcp", 140}, {page, "h2", 300}} {
		ask := ask
		ask.Named, ask.Workload, ask.Strategies, ask.Trials = "", x.w, []string{x.strategy}, 1
		ask.Network.Loss, ask.Network.Down, ask.Network.Up = 0, 0, 0
		ask.Config.Messages = map[string][]sim.Message{}
		for _, over := range []string{linger.OverUDP, linger.OverTCP} {
			ask.Config.Messages[over] = []sim.Message{{Query: 40, Answer: 56, Rcode: "NOERROR"}}
		}
		text, err := json.Marshal(ask)
		if err != nil {
			t.Fatal(err)
		}
		s, err := begin(text)
		if err != nil {
			t.Fatal(err)
		}
		for s.step() {
		}
		out, err := s.result()
		var got struct {
			Rows []struct {
				Time struct{ Median float64 } `json:"time_ms"`
			}
		}
		if err != nil || json.Unmarshal(out, &got) != nil || len(got.Rows) != 1 || got.Rows[0].Time.Median != x.trips {
			t.Errorf("%s of %s: %v: %s", x.strategy, x.w.Name, err, out)
		}
	}
	for _, x := range []struct{ in, want string }{
		{"{", "unexpected end"}, {`{"strategies":["kep"]}`, "did you mean keep"}, {`{"named":"objects:x"}`, "is not a number"}, {`{"network":{"rtt_us":-1}}`, "round-trip time"},
	} {
		if _, err := begin([]byte(x.in)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", x.in, err, x.want)
		}
	}
}

// Whatever a page asks, it is understood or refused.
func FuzzBegin(f *testing.F) {
	f.Add([]byte(`{"named":"objects:3x5000","workload":{"scheme":"http"},"strategies":["keep"],"network":{"rtt_us":1,"down_bps":1000,"up_bps":1000},"seed":1,"trials":1}`))
	f.Add([]byte(`{"config":{"Events":-1},"workload":{"scheme":"https","exchanges":[{"method":"GET","path":"/","parent":-1}]},"strategies":["h2","close"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := begin(text)
		if err == nil && (s == nil || s.Config.Events > budget) {
			t.Errorf("%+v", s)
		}
	})
}
