package decrypted

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/internal/testcert"
)

// A stage is a folder with a certificate, a site and a key log, and one server.
type stage struct {
	*testing.T
	dir     string
	port    string
	server  tls.Certificate
	keylog  string // of whoever writes one; several may
	served  *tally // what the server has answered, where it is ours
	address string
	bytes   bool // what is served has the paths of linger's own origin
}

// path is where a file of the site is.
func (s *stage) path(name string) string {
	size, ok := files[name]
	switch {
	case !s.bytes:
		return "/" + name
	case ok:
		return fmt.Sprint("/bytes/", size)
	default:
		return "/status/404"
	}
}

// A tally counts responses by their status.
type tally struct {
	mu sync.Mutex
	statuses
}

func (c *tally) add(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses[strconv.Itoa(code)]++
}

// files are what each server has, and how long.
var files = map[string]int{"1k": 1 << 10, "100k": 100 << 10, "1m": 1 << 20}

func newStage(t *testing.T) *stage {
	t.Helper()
	// Servers that give up root's rights read it.
	s := &stage{T: t, dir: testall.OpenDir(t)}
	s.keylog = filepath.Join(s.dir, "keylog")
	s.address = testall.FreeAddress(t)
	_, s.port, _ = net.SplitHostPort(s.address)
	s.server = testcert.SelfSigned(x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	c, k := testcert.PEM(s.server)
	s.write("certificate", string(c))
	s.write("key", string(k))
	s.write("both", string(c)+string(k))
	if err := os.Mkdir(filepath.Join(s.dir, "site"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, size := range files {
		s.write("site/"+name, strings.Repeat("x", size))
	}
	s.write("site/page", page())
	return s
}

// page is one with 20 images and one that is not there.
func page() string {
	var b strings.Builder
	b.WriteString("<!doctype html><html><body>")
	for i := range 20 {
		fmt.Fprintf(&b, "<img src='/1k?%d'>", i)
	}
	b.WriteString("<img src='/100k'><img src='/none'><link rel=icon href='data:,'></body></html>")
	return b.String()
}

func (s *stage) write(name, text string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(s.place(text)), 0o644); err != nil {
		s.Fatal(err)
	}
	return path
}

// place puts the folder, the port, the address and the key log into a text.
func (s *stage) place(text string) string {
	return strings.NewReplacer("DIR", s.dir, "PORT", s.port, "ADDRESS", s.address, "KEYLOG", s.keylog).Replace(text)
}

// url is one of the server's.
func (s *stage) url(path string) string { return "https://" + s.address + path }

// up reports whether somebody listens.
func (s *stage) up() bool {
	c, err := net.Dial("tcp", s.address)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// handler serves the site, takes what is uploaded, and counts.
func (s *stage) handler() http.Handler {
	if s.served == nil {
		s.served = &tally{statuses: statuses{}}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		size, ok := files[name]
		code := http.StatusOK
		n, _ := io.Copy(io.Discard, r.Body)
		switch {
		case ok && r.URL.RawQuery == "chunked":
			for range 4 {
				w.Write(bytes.Repeat([]byte("x"), size/4))
				http.NewResponseController(w).Flush()
			}
		case ok:
			w.Header().Set("Content-Length", strconv.Itoa(size))
			w.Write(bytes.Repeat([]byte("x"), size))
		case name == "page":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, page())
		case name == "up":
			fmt.Fprint(w, n)
		default:
			code = http.StatusNotFound
			http.Error(w, "not found", code)
		}
		s.served.add(code)
	})
}

// logKeys returns what a program of Go's writes its secrets to.
func (s *stage) logKeys() io.Writer {
	f, err := os.OpenFile(s.keylog, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { f.Close() })
	return f
}

// record has tcpdump capture what goes to and from the server's port while run runs.
func (s *stage) record(run func()) (file string) {
	s.Helper()
	testall.Needs(s, "tcpdump")
	file = filepath.Join(s.dir, "capture.pcap")
	cmd := exec.Command("tcpdump", "-i", "lo", "-B", "65536", "-U", "-Z", "root", "-w", file, "port "+s.port)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	var said []string
	listens := false
	for !listens && lines.Scan() {
		said = append(said, lines.Text())
		listens = strings.Contains(lines.Text(), "listening on")
	}
	if !listens {
		cmd.Wait()
		testall.Lacks(s, "tcpdump: %s", strings.Join(said, "; "))
	}
	run()
	// The last FIN, and what answers it; tcpdump looks at a block that is not full after a second.
	time.Sleep(1300 * time.Millisecond)
	cmd.Process.Signal(syscall.SIGINT)
	for lines.Scan() {
		if text := lines.Text(); strings.Contains(text, "dropped by kernel") && !strings.HasPrefix(text, "0 ") {
			defer testall.Lacks(s, "this machine is too busy: tcpdump says %s", text)
		}
	}
	cmd.Wait()
	return file
}

// sh has the shell run a line, with what is placed in it, and returns what it prints. Programs
// that look for SSLKEYLOGFILE find it.
func (s *stage) sh(line string) string {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), "timeout", "20", "sh", "-c", s.place(line))
	cmd.Env = append(os.Environ(), "SSLKEYLOGFILE="+s.keylog, "PYTHONWARNINGS=ignore", "HOME="+s.dir)
	cmd.Dir = s.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.Errorf("%s: %v: %s", line, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out)
}
