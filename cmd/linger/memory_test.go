package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// peakMain runs the program and says the most memory that it held.
func peakMain(args []string) int {
	status := Main(args, streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv})
	if b, err := os.ReadFile("/proc/self/status"); err == nil {
		_, rest, _ := strings.Cut(string(b), "VmHWM:")
		fmt.Fprintf(os.Stderr, "\npeak %s", strings.TrimSpace(rest))
	}
	return status
}

// A bomb is a worst input of a reader of foreign bytes.
type bomb struct {
	reader, input string
	most          int // MB that the program may hold while it reads that
	args          func(*bombs) []string
}

// bombs makes worst inputs.
type bombs struct {
	t    *testing.T
	full bool // as large as the table says; else a part of it, with the same bound
}

// file writes pieces into a file of that name, packed.
func (b *bombs) file(name string, pieces func(io.Writer)) string {
	name = filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(name, gzipOf(pieces), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return name
}

// page serves a page, and one thing that it names, both packed; it returns the page's URL.
func (b *bombs) page(html, kind string, other func(io.Writer)) string {
	packed := gzipOf(other)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h, body := w.Header(), packed
		switch {
		case q.URL.Path == "/" && html != "":
			h.Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, html)
			return
		case q.URL.Path != "/" && q.URL.Path != "/x":
			return
		}
		h.Set("Content-Type", kind)
		h.Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	}))
	b.t.Cleanup(s.Close)
	return s.URL + "/"
}

// some is n, or a part of it where the input need not be full.
func (b *bombs) some(n int) int {
	if b.full {
		return n
	}
	return n / 16
}

func gzipOf(pieces func(io.Writer)) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	pieces(z)
	_ = z.Close() // bytes.Buffer takes all
	return out.Bytes()
}

// repeat writes a piece n times, with its number in the place of #.
func repeat(w io.Writer, n int, piece string) {
	before, behind, numbered := strings.Cut(piece, "#")
	b := make([]byte, 0, 64<<10)
	for i := range n {
		b = append(b, before...)
		if numbered {
			b = strconv.AppendInt(b, int64(i), 10)
			b = append(b, strings.ReplaceAll(behind, "#", strconv.Itoa(i))...)
		}
		if len(b) > 60<<10 || i == n-1 {
			_, _ = w.Write(b)
			b = b[:0]
		}
	}
}

const bombHeader = `{"format":"linger-trace","version":2,"kind":"experiment","workload":{"name":"w","scheme":"http","exchanges":[{"method":"GET","path":"/","status":200,"response_body":10,"parent":-1}]},` +
	`"strategies":[{"name":"keep","connections":1,"in_flight":1}],"network":{"name":"lte","rtt_us":70000},"seed":1,"trials":10000}` + "\n"

var worst = []bomb{
	{"HAR", "256 MB of contents in 20 entries", 100, func(b *bombs) []string {
		return []string{"report", b.file("x.har.gz", func(w io.Writer) {
			text := strings.Repeat("text ", b.some(256<<20)/5/20)
			io.WriteString(w, `{"log":{"entries":[null`)
			for i := range 20 {
				fmt.Fprintf(w, `,{"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"GET","url":"http://a/%d"},"response":{"status":200,"content":{"size":9,"text":"`, i)
				io.WriteString(w, text)
				io.WriteString(w, `"}}}`)
			}
			io.WriteString(w, `]}}`)
		})}
	}},
	{"HAR", "19,999 entries on a connection each, with URLs of 3 KB", 600, func(b *bombs) []string {
		return []string{"report", b.file("x.har.gz", func(w io.Writer) {
			io.WriteString(w, `{"log":{"entries":[null`)
			repeat(w, b.some(19_999), `,{"startedDateTime":"2026-01-02T03:04:05Z","connection":"c#","request":{"method":"GET","url":"http://a/#`+strings.Repeat("x", 3000)+`"},"response":{"status":200,"bodySize":9}}`)
			io.WriteString(w, `]}}`)
		})}
	}},
	{"HAR", "a connection's name of 64 MB", 60, func(b *bombs) []string {
		return []string{"report", b.file("x.har.gz", func(w io.Writer) {
			io.WriteString(w, `{"log":{"entries":[{"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"GET","url":"http://a/"},"connection":"`)
			repeat(w, b.some(8<<20), "12345678")
			io.WriteString(w, `"}]}}`)
		})}
	}},
	{"trace file", "a line that lists 12 million connections in 60 MB", 250, func(b *bombs) []string {
		return []string{"report", b.file("x.trace", func(w io.Writer) {
			io.WriteString(w, bombHeader+`{"strategy":0,"trace":{"connections":[null`)
			repeat(w, b.some(12_000_000), ",null")
			io.WriteString(w, "]}}\n")
		})}
	}},
	{"trace file", "3,000 trials with 10,000 exchanges each", 900, func(b *bombs) []string {
		return []string{"report", b.file("x.trace", func(w io.Writer) {
			io.WriteString(w, bombHeader)
			line := `{"strategy":0,"trace":{"network":{"name":"lte"},"exchanges":[{}` + strings.Repeat(`,{"method":"GET","url":"http://a/","attempts":1}`, 9_999) + "]}}\n"
			for range b.some(3000) {
				io.WriteString(w, line)
			}
		})}
	}},
	{"style sheet", "one @font-face with 9 million fonts in 64 MB", 80, func(b *bombs) []string {
		return []string{"get", b.page(`<link rel=stylesheet href=/x>`, "text/css", func(w io.Writer) {
			io.WriteString(w, "@font-face{src:url(a)")
			repeat(w, b.some(9<<20), ",url(a)")
		})}
	}},
	{"HTML", "a tag of 4 MB with 480,000 attributes", 250, func(b *bombs) []string {
		return []string{"get", b.page("", "text/html", func(w io.Writer) {
			io.WriteString(w, "<img ")
			repeat(w, 480_000, " a#")
			io.WriteString(w, ">")
		})}
	}},
	{"HTML", "16 MB of images on 600,000 hosts", 120, func(b *bombs) []string {
		return []string{"get", b.page("", "text/html", func(w io.Writer) { repeat(w, b.some(600_000), "<img src=//h#.example/>") })}
	}},
	{"HTML", "a text of 64 MB", 80, func(b *bombs) []string {
		return []string{"get", b.page("", "text/html", func(w io.Writer) { repeat(w, b.some(8<<20), "12345678") })}
	}},
	{"list", "a line of 64 MB", 60, func(b *bombs) []string {
		name := filepath.Join(b.t.TempDir(), "x.list")
		if err := os.WriteFile(name, bytes.Repeat([]byte("/12345678"), b.some(64<<20)/9), 0o600); err != nil {
			b.t.Fatal(err)
		}
		return []string{"get", name}
	}},
}

// worstTable is the table of docs/bounds.md.
func worstTable() string {
	var b strings.Builder
	b.WriteString("| what is read | worst input | the program holds at most |\n|---|---|---|\n")
	for _, x := range worst {
		fmt.Fprintf(&b, "| %s | %s | %d MB |\n", x.reader, x.input, x.most)
	}
	return b.String()
}

func TestBoundsOfMemoryAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/bounds.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), worstTable()) {
		t.Errorf("docs/bounds.md lacks this table:\n%s", worstTable())
	}
}

// TestPeakMemory has a process of its own read each worst input, and that process's peak.
func TestPeakMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		skip(t, "only Linux says the peak of a process, in /proc")
	}
	t.Parallel()
	for _, x := range worst {
		t.Run(x.reader+": "+x.input, func(t *testing.T) {
			b := &bombs{t: t, full: os.Getenv("LINGER_TEST_ALL") == "1"}
			cmd := exec.Command(os.Args[0], append([]string{"peak"}, x.args(b)...)...)
			cmd.Dir = t.TempDir()
			var errs bytes.Buffer
			cmd.Stderr = &errs
			_ = cmd.Run() // it may refuse what it reads, or not
			said, rest, _ := strings.Cut(errs.String(), "\npeak ")
			var kB int
			if _, err := fmt.Sscan(rest, &kB); err != nil {
				t.Fatalf("it says no peak: %v, %s", err, errs.String())
			}
			t.Logf("%d MB, %v of CPU: %.200s", kB>>10, cmd.ProcessState.UserTime(), said)
			if kB>>10 > x.most {
				t.Errorf("it held %d MB; the bound is %d", kB>>10, x.most)
			}
		})
	}
}
