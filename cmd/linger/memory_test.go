package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"linger"
	"linger/browser"
	"linger/internal/testall"
)

// peakMain runs the program and says the most memory that it held.
func peakMain(args []string) int {
	status := exitDone
	if args[0] == "browser" {
		status = browse(args[1])
	} else {
		status = Main(args, streamsOf(os.Stdin, os.Stdout, os.Stderr, os.Getenv))
	}
	if b, err := os.ReadFile("/proc/self/status"); err == nil {
		_, rest, _ := strings.Cut(string(b), "VmHWM:")
		fmt.Fprintf(os.Stderr, "\npeak %s", strings.TrimSpace(rest))
	}
	return status
}

// browse has a program fetch a page as a browser would.
func browse(path string) int {
	w := linger.Objects(1, 1, 1)
	strategy, _ := linger.ParseStrategy("keep:6")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	dir, _ := os.Getwd()
	_, err := browser.Run(ctx, linger.Scenario{Workload: w, Strategy: strategy}, browser.Config{Path: path, Places: []browser.Place{{Host: "origin", Address: "127.0.0.1:1"}}, Dir: dir})
	fmt.Fprintln(os.Stderr, err)
	return exitUnreachable
}

// A bomb is a worst input of a reader of foreign bytes.
type bomb struct {
	reader, input string
	most          int // MB that the program may hold while it reads that
	args          func(*bombs) []string
	waits         bool                           // nothing ends it but time
	attack        func(b *bombs, address string) // what is done to the server that args start; nil is nothing
}

// bombs makes worst inputs.
type bombs struct {
	t    *testing.T
	full bool // as large as the table says; else a part of it, with the same bound

	portFile string // of a server
	visitor  string // the URL and the strategy of who comes while it is attacked
	open     []net.Conn
}

// file writes pieces into a file of that name, packed.
func (b *bombs) file(name string, pieces func(io.Writer)) string {
	name = filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(name, gzipOf(pieces), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return name
}

// plain writes pieces into a file of that name.
func (b *bombs) plain(name string, pieces func(io.Writer)) string {
	name = filepath.Join(b.t.TempDir(), name)
	file, err := os.Create(name)
	if err != nil {
		b.t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	pieces(w)
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		b.t.Fatal(err)
	}
	return name
}

// writeSYNs writes a capture in which every packet opens a connection.
func writeSYNs(w io.Writer, n int) {
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = append(le.AppendUint32(b, 4<<16|2), make([]byte, 8)...)
	_, _ = w.Write(le.AppendUint32(le.AppendUint32(b, 1<<18), 101)) // raw IP
	for i := range uint32(n) {
		b = le.AppendUint32(le.AppendUint32(b[:0], 1_700_000_000+i/100_000), i%100_000*10)
		b = le.AppendUint32(le.AppendUint32(b, 40), 40)
		b = append(b, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10)
		b = append(be.AppendUint32(b, i<<8)[:len(b)+3], 192, 0, 2, 1)
		b = be.AppendUint16(be.AppendUint16(b, uint16(1024+i>>20)), 80)
		b = append(be.AppendUint32(b, i), 0, 0, 0, 0, 5<<4, 2, 0xff, 0xff, 0, 0, 0, 0)
		_, _ = w.Write(b)
	}
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
	return n / 64
}

// served waits until the server takes connections, and returns its address.
func (b *bombs) served() string {
	for {
		if port, err := os.ReadFile(b.portFile); err == nil {
			return "127.0.0.1:" + strings.TrimSpace(string(port))
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-b.t.Context().Done():
			b.t.Fatal("the server does not begin")
		}
	}
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

// foreignFiles are worst inputs in files and pages.
var foreignFiles = []bomb{
	{reader: "HAR", input: "256 MB of contents in 20 entries", most: 100, args: func(b *bombs) []string {
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
	{reader: "HAR", input: "19,999 entries on a connection each, with URLs of 3 KB", most: 600, args: func(b *bombs) []string {
		return []string{"report", b.file("x.har.gz", func(w io.Writer) {
			io.WriteString(w, `{"log":{"entries":[null`)
			repeat(w, b.some(19_999), `,{"startedDateTime":"2026-01-02T03:04:05Z","connection":"c#","request":{"method":"GET","url":"http://a/#`+strings.Repeat("x", 3000)+`"},"response":{"status":200,"bodySize":9}}`)
			io.WriteString(w, `]}}`)
		})}
	}},
	{reader: "HAR", input: "a connection's name of 64 MB", most: 60, args: func(b *bombs) []string {
		return []string{"report", b.file("x.har.gz", func(w io.Writer) {
			io.WriteString(w, `{"log":{"entries":[{"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"GET","url":"http://a/"},"connection":"`)
			repeat(w, b.some(8<<20), "12345678")
			io.WriteString(w, `"}]}}`)
		})}
	}},
	{reader: "trace file", input: "a line that lists 12 million connections in 60 MB", most: 250, args: func(b *bombs) []string {
		return []string{"report", b.file("x.trace", func(w io.Writer) {
			io.WriteString(w, bombHeader+`{"strategy":0,"trace":{"connections":[null`)
			repeat(w, b.some(12_000_000), ",null")
			io.WriteString(w, "]}}\n")
		})}
	}},
	{reader: "trace file", input: "3,000 trials with 10,000 exchanges each", most: 900, args: func(b *bombs) []string {
		return []string{"report", b.file("x.trace", func(w io.Writer) {
			io.WriteString(w, bombHeader)
			line := `{"strategy":0,"trace":{"network":{"name":"lte"},"exchanges":[{}` + strings.Repeat(`,{"method":"GET","url":"http://a/","attempts":1}`, 9_999) + "]}}\n"
			for range b.some(3000) {
				io.WriteString(w, line)
			}
		})}
	}},
	{reader: "style sheet", input: "one @font-face with 9 million fonts in 64 MB", most: 80, args: func(b *bombs) []string {
		return []string{"get", b.page(`<link rel=stylesheet href=/x>`, "text/css", func(w io.Writer) {
			io.WriteString(w, "@font-face{src:url(a)")
			repeat(w, b.some(9<<20), ",url(a)")
		})}
	}},
	{reader: "HTML", input: "a tag of 4 MB with 480,000 attributes", most: 250, args: func(b *bombs) []string {
		return []string{"get", b.page("", "text/html", func(w io.Writer) {
			io.WriteString(w, "<img ")
			repeat(w, b.some(480_000), " a#")
			io.WriteString(w, ">")
		})}
	}},
	{reader: "HTML", input: "16 MB of images on 600,000 hosts", most: 120, args: func(b *bombs) []string {
		return []string{"get", b.page("", "text/html", func(w io.Writer) { repeat(w, b.some(600_000), "<img src=//h#.example/>") })}
	}},
	{reader: "HTML", input: "a text of 64 MB", most: 80, args: func(b *bombs) []string {
		return []string{"get", b.page("", "text/html", func(w io.Writer) { repeat(w, b.some(8<<20), "12345678") })}
	}},
	{reader: "survey's list", input: "10,000 URLs of 8 KB", most: 250, args: func(b *bombs) []string {
		return []string{"probe", "-f", b.plain("x.urls", func(w io.Writer) {
			repeat(w, b.some(10_000), "http://a/"+strings.Repeat("x", 8000)+"\n")
			io.WriteString(w, strings.Repeat("x", 1<<20))
		})}
	}},
	{reader: "names", input: "a million of 60 bytes", most: 200, args: func(b *bombs) []string {
		return []string{"compare", "--on", "sim", "dns", "--names", b.plain("x.names", func(w io.Writer) {
			repeat(w, 1_000_000, "n#."+strings.Repeat("x", 45)+".example A\n")
		})}
	}},
	{reader: "result of compare", input: "200,000 empty rows", most: 900, args: func(b *bombs) []string {
		name := b.plain("x.json", func(w io.Writer) {
			io.WriteString(w, `{"format":"linger comparison 3","linger":"x","rows":[{}`)
			repeat(w, b.some(199_990), ",{}")
			io.WriteString(w, "]}")
		})
		return []string{"compare", name, name}
	}},
	{reader: "capture", input: "200,000 SYNs, each of another connection", most: 400, args: func(b *bombs) []string {
		return []string{"inspect", b.plain("x.pcap", func(w io.Writer) { writeSYNs(w, b.some(200_000)) })}
	}},
	{reader: "capture", input: "a block of pcapng that says that it has 4 GB, in 256 MB", most: 100, args: func(b *bombs) []string {
		return []string{"inspect", b.plain("x.pcapng", func(w io.Writer) {
			io.WriteString(w, "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00")
			io.WriteString(w, "\x06\x00\x00\x00\xfc\xff\xff\xff")
			repeat(w, b.some(256<<20)/8, "12345678")
		})}
	}},
	{reader: "capture", input: "256 MB of zeros in zstd with a window of 128 MB", most: 400, args: func(b *bombs) []string {
		return []string{"inspect", b.plain("x.pcap.zst", func(w io.Writer) {
			z, _ := zstd.NewWriter(w, zstd.WithWindowSize(128<<20), zstd.WithSingleSegment(false))
			writeSYNs(z, 1)
			repeat(z, b.some(256<<20)/8, "\x00\x00\x00\x00\x00\x00\x00\x00")
			_ = z.Close()
		})}
	}},
	{reader: "capture", input: "a gigabyte of nothing in gzip", most: 100, args: func(b *bombs) []string {
		return []string{"inspect", b.file("x.pcap.gz", func(w io.Writer) {
			writeSYNs(w, 1)
			repeat(w, b.some(1<<30)/8, "\x00\x00\x00\x00\x00\x00\x00\x00")
		})}
	}},
	{reader: "list", input: "a line of 64 MB", most: 60, args: func(b *bombs) []string {
		return []string{"compare", "--on", "sim", b.plain("x.list", func(w io.Writer) { repeat(w, b.some(64<<20)/9, "/12345678") })}
	}},
}

var worst = slices.Concat(foreignFiles, hostileServers, attackers)

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
			b := &bombs{t: t, full: testall.Asked()}
			if x.waits {
				testall.Long(t, "seconds")
			}
			cmd := exec.Command(os.Args[0], append([]string{"peak"}, x.args(b)...)...)
			cmd.Dir = t.TempDir()
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if x.attack != nil {
				b.besiege(x)
				_ = cmd.Process.Signal(os.Interrupt) // an error says that it has ended, and so says no peak
			}
			_ = cmd.Wait() // it may refuse what it reads, or not
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
