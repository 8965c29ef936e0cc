package probe_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linger/conformance"
	"linger/internal/testall"
	"linger/probe"
	"linger/profile"
)

// A reply is what a server is about to send to one request.
type reply struct {
	method string
	old    bool // the request is of HTTP/1.0
	first  bool // on its connection
	// content says that the request has some.
	content bool
	status  int
	fields  []string
	body    string
	ends    bool // the connection ends behind it

	behind string        // bytes behind it
	later  time.Duration // that they come later
}

// A flaw is one thing that a server does wrong, or otherwise than usual, and the cases that
// are to tell of it.
type flaw struct {
	name  string
	names []string
	// reply changes what is sent, interim is what comes before the content of a request
	// that asks for leave, and last what is said into an idle connection.
	reply   func(*reply)
	interim string
	last    string
	// deaf leaves content of requests unread, and slow is how long each answer takes.
	deaf bool
	slow time.Duration
}

const (
	flawedIdle = 1500 * time.Millisecond
	flawedPage = "<html>a page of some bytes</html>"
)

// serve is a server that does all by the book but for the flaw.
func (f flaw) serve(c net.Conn) {
	in := bufio.NewReader(c)
	for first := true; ; first = false {
		c.SetReadDeadline(time.Now().Add(flawedIdle))
		if _, err := in.Peek(1); err != nil {
			if !first {
				io.WriteString(c, f.last)
			}
			return
		}
		r, refused := f.read(c, in)
		time.Sleep(f.slow)
		r.first = first
		if refused {
			r = reply{status: 400, ends: true}
		}
		if f.reply != nil {
			f.reply(&r)
		}
		io.WriteString(c, r.text())
		if r.behind != "" {
			time.Sleep(r.later)
			io.WriteString(c, r.behind)
		}
		if r.ends {
			// In stages, so that no reset destroys what was sent.
			c.(*net.TCPConn).CloseWrite()
			c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			io.Copy(io.Discard, in)
			return
		}
	}
}

// read reads a request and returns the reply to it; refused says that there is none but 400.
func (f flaw) read(c net.Conn, in *bufio.Reader) (r reply, refused bool) {
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return r, true
		}
		head = append(head, line...)
	}
	for _, line := range strings.Split(string(head), "\r\n")[1:] {
		if name, _, _ := strings.Cut(line, ":"); strings.Contains(name, " ") {
			return r, true
		}
	}
	q, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(head), in)))
	both := bytes.Contains(head, []byte("Transfer-Encoding")) && bytes.Contains(head, []byte("Content-Length"))
	if err != nil || q.Host == "" || both {
		return r, true
	}
	r = reply{method: q.Method, old: !q.ProtoAtLeast(1, 1), status: 200, body: flawedPage, fields: []string{`ETag: "a"`}}
	r.content = q.ContentLength > 0
	said := q.Header.Get("Connection")
	if r.ends = said == "close" || r.old && said != "keep-alive"; r.old && !r.ends {
		r.fields = append(r.fields, "Connection: keep-alive")
	}
	if q.ContentLength > 1<<20 {
		return reply{method: q.Method, status: 413, ends: true}, false
	}
	if q.Header.Get("Expect") != "" {
		io.WriteString(c, f.interim)
		c.SetReadDeadline(time.Now().Add(4 * time.Second)) // longer than the probe waits
	}
	switch {
	case len(q.TransferEncoding) > 0:
		return r, true // the probe sends nothing in chunks that could be read
	case !f.deaf:
		if _, err := io.CopyN(io.Discard, in, q.ContentLength); err != nil {
			return r, true
		}
	}
	switch {
	case q.URL.Path != "/":
		r.status, r.body = 404, "no"
	case q.Method == http.MethodOptions:
		r.status, r.body = 204, ""
	case q.Header.Get("If-None-Match") != "":
		r.status, r.body = 304, ""
	case q.Method != http.MethodGet && q.Method != http.MethodHead && q.Method != http.MethodPost:
		r.status, r.body = 501, "no"
	}
	return r, false
}

// text is a reply as it is sent.
func (r reply) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	for _, f := range r.fields {
		b.WriteString(f + "\r\n")
	}
	if r.ends && !slices.Contains(r.fields, "X-Unsaid: close") && !slices.Contains(r.fields, "Connection: close") {
		b.WriteString("Connection: close\r\n")
	}
	own := strings.Contains(strings.ToLower(strings.Join(r.fields, "\n")), "content-length") || strings.Contains(strings.Join(r.fields, "\n"), "Transfer-Encoding")
	if r.status != 204 && r.status != 304 && !own {
		b.WriteString("Content-Length: " + strconv.Itoa(len(r.body)) + "\r\n")
	}
	b.WriteString("\r\n")
	if r.method != http.MethodHead {
		b.WriteString(r.body)
	}
	return b.String()
}

// end ends the connection behind a reply.
func (r *reply) end() { r.ends, r.fields = true, nil }

// unsaid ends the connection behind a reply without a word of it.
func (r *reply) unsaid() {
	r.ends, r.fields = true, append(r.fields, "X-Unsaid: close")
}

const leave = "HTTP/1.1 100 Continue\r\n\r\n"

// flaws are, each, the only one of their server.
var flaws = []flaw{
	{name: "none", interim: leave},
	{name: "content to HEAD", names: []string{"head-empty"}, interim: leave, reply: func(r *reply) {
		if r.method == "HEAD" {
			r.behind = r.body
		}
	}},
	{name: "content to HEAD, later", names: []string{"head-empty"}, interim: leave, reply: func(r *reply) {
		if r.method == "HEAD" {
			r.behind, r.later = r.body, 100*time.Millisecond
		}
	}},
	{name: "content to HEAD, and each connection ends", names: []string{"head-empty", "requests-enough"}, interim: leave, reply: func(r *reply) {
		if r.end(); r.method == "HEAD" {
			r.behind = r.body
		}
	}},
	{name: "content with 204", names: []string{"no-content-empty"}, interim: leave, reply: func(r *reply) {
		if r.status == 204 {
			r.behind = "no cors"
		}
	}},
	{name: "a length with 204", names: []string{"length-absent"}, interim: leave, reply: func(r *reply) {
		if r.status == 204 {
			r.fields = append(r.fields, "Content-Length: 0")
		}
	}},
	{name: "chunks with 204", names: []string{"no-content-empty", "length-absent"}, interim: leave, reply: func(r *reply) {
		if r.status == 204 {
			r.fields, r.behind = append(r.fields, "Transfer-Encoding: chunked"), "0\r\n\r\n"
		}
	}},
	{name: "content with 304", names: []string{"not-modified-empty"}, interim: leave, reply: func(r *reply) {
		if r.status == 304 {
			r.behind = flawedPage
		}
	}},
	{name: "a length too short", names: []string{"nothing-behind"}, interim: leave, reply: func(r *reply) {
		if r.status == 200 && r.method != "HEAD" {
			r.body, r.behind = r.body[:len(r.body)-5], r.body[len(r.body)-5:]
		}
	}},
	{name: "an empty line behind everything", names: []string{"nothing-behind"}, interim: leave, reply: func(r *reply) { r.behind = "\r\n" }},
	{name: "an empty line, a little later", names: []string{"nothing-behind"}, interim: leave, reply: func(r *reply) { r.behind, r.later = "\r\n", 20*time.Millisecond }},
	{name: "an empty line, much later", names: []string{"nothing-behind"}, interim: leave, reply: func(r *reply) {
		if r.first && r.method == "GET" && !r.ends {
			r.behind, r.later = "\r\n", 700*time.Millisecond
		}
	}},
	{name: "trailers without chunks", names: []string{"nothing-behind"}, interim: leave, reply: func(r *reply) {
		if r.method == "GET" && r.status == 200 {
			r.behind = "Server-Timing: total;dur=5\r\n\r\n"
		}
	}},
	{name: "two framings", names: []string{"length-single"}, interim: leave, reply: func(r *reply) {
		if r.status == 404 {
			r.fields = append(r.fields, "Content-Length: 9", "Transfer-Encoding: chunked")
			r.body = "2\r\nno\r\n0\r\n\r\n"
		}
	}},
	{name: "two lengths everywhere", names: []string{"length-single"}, interim: leave, reply: func(r *reply) {
		if r.status == 200 {
			r.fields = append(r.fields, "Content-Length: 9", "Content-Length: "+strconv.Itoa(len(r.body)))
		}
	}},
	{name: "a folded line", names: []string{"head-grammar"}, interim: leave, reply: func(r *reply) { r.fields = append(r.fields, "X-Long: one,", "\ttwo") }},
	{name: "a space before a colon", names: []string{"head-grammar"}, interim: leave, reply: func(r *reply) { r.fields = append(r.fields, "X-Odd : 1") }},
	{name: "100 without an empty line", names: []string{"interim-whole"}, interim: "HTTP/1.1 100 Continue\r\n"},
	{name: "100 that is no head", names: []string{"interim-whole"}, interim: "100 Continue\r\n\r\n"},
	{name: "100 with a length", names: []string{"length-absent"}, interim: "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n"},
	{name: "100 twice", interim: leave + leave},
	{name: "no 100", names: []string{"expect-answered"}},
	{name: "100 too late", names: []string{"nothing-behind"}, interim: leave, reply: func(r *reply) {
		if r.method == "POST" && !r.ends {
			r.behind = leave
		}
	}},
	{name: "an end behind 404 that is not said", names: []string{"close-announced"}, interim: leave, reply: func(r *reply) {
		if r.status == 404 && !r.ends {
			r.unsaid()
		}
	}},
	{name: "an end behind 413 that is not said", names: []string{"close-announced"}, interim: leave, reply: func(r *reply) {
		if r.status == 413 {
			r.unsaid()
		}
	}},
	{name: "an end behind each POST with content that is not said", names: []string{"close-announced"}, interim: leave, reply: func(r *reply) {
		if r.method == "POST" && r.content && !r.ends {
			r.status, r.body = 413, "no"
			r.unsaid()
		}
	}},
	{name: "408 into idle connections", names: []string{"idle-wordless"}, interim: leave, last: "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
	{name: "words into idle connections", names: []string{"idle-wordless"}, interim: leave, last: "timed out\r\n"},
	{name: "content unread", names: []string{"body-read"}, interim: leave, deaf: true},
	{name: "slow", interim: leave, slow: 300 * time.Millisecond},
	{name: "redirects all", interim: leave, reply: func(r *reply) {
		if r.status == 200 || r.status == 404 {
			r.status, r.fields = 301, append(r.fields, "Location: https://example.org/")
		}
	}},
	{name: "takes nothing but GET", interim: leave, reply: func(r *reply) {
		if r.method != "GET" && r.status != 400 && r.status != 413 {
			r.status, r.body = 405, "no"
		}
	}},
	{name: "refuses POST and closes", interim: leave, reply: func(r *reply) {
		if r.method == "POST" {
			r.status, r.body, r.ends = 501, "no", true
		}
	}},
	{name: "is refused", interim: leave, reply: func(r *reply) {
		if r.status == 200 {
			r.status, r.body = 403, "no"
		}
	}},
	{name: "closes each connection", names: []string{"requests-enough"}, interim: leave, reply: (*reply).end},
	{name: "closes each connection and does not say so", names: []string{"close-announced"}, interim: leave, reply: func(r *reply) {
		if !r.ends {
			r.unsaid()
		}
	}},
}

// TestEachFlawIsNamedAlone shows that no flaw is taken for another: of a server with one of
// them, what fails or is warned of is what tells of it, and nothing else.
func TestEachFlawIsNamedAlone(t *testing.T) {
	t.Parallel()
	configs := make([]probe.Config, len(flaws))
	for i, f := range flaws {
		if i%testall.Of(1, 4) > 0 {
			continue
		}
		configs[i] = probe.Config{Target: "http://" + testall.Accept(t, f.serve) + "/", MaxWait: 4 * time.Second, Answer: 2 * time.Second}
	}
	docs, errs := probed(18, configs)
	for i, f := range flaws {
		if configs[i].Target == "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			want := slices.Sorted(slices.Values(f.names))
			doc, err := again(docs[i], nil, configs[i], func(p *profile.Profile) bool { return slices.Equal(broken(p), want) })
			if err != nil {
				t.Fatal(err)
			}
			if wasBusy(doc) && !slices.Equal(broken(doc), want) {
				skip(t, "this machine is too busy to say")
			}
			if found := broken(doc); !slices.Equal(found, want) {
				t.Errorf("it names %v, want %v", found, want)
			}
			for _, r := range doc.Cases {
				t.Logf("%s: %s, %s", r.ID, r.Outcome, r.Text)
				if r.Text == "" {
					t.Errorf("%s is %s for no reason", r.ID, r.Outcome)
				}
			}
		})
	}
}

// probed probes servers, so many at once, lest the machine spoil what is measured. A config
// without a target is left out.
func probed(atOnce int, configs []probe.Config) ([]*profile.Profile, []error) {
	docs, errs := make([]*profile.Profile, len(configs)), make([]error, len(configs))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, c := range configs {
		if c.Target == "" {
			continue
		}
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			docs[i], errs[i] = probe.Run(context.Background(), c)
		})
	}
	all.Wait()
	return docs, errs
}

// broken are the cases that fail or are warned of, sorted.
func broken(p *profile.Profile) []string {
	var out []string
	for _, r := range p.Cases {
		if r.Outcome == profile.Fail || r.Outcome == profile.Warn {
			out = append(out, r.ID)
		}
	}
	slices.Sort(out)
	return out
}

// A spoilt conn gives its server a record that nobody can have sent, once nothing has come
// for so long: what the server says to that is an alert.
type spoilt struct {
	net.Conn
	after time.Duration
	tail  []byte
}

func (s *spoilt) Read(p []byte) (int, error) {
	if s.tail == nil {
		s.SetReadDeadline(time.Now().Add(s.after))
		n, err := s.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		s.tail = append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...)
	}
	n := copy(p, s.tail)
	if s.tail = s.tail[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestAlertIsShown shows that an alert by which a server ends an idle connection is told of.
func TestAlertIsShown(t *testing.T) {
	t.Parallel()
	roots, pemFile := authority(t)
	certificate, err := tls.X509KeyPair(pemFile, pemFile)
	if err != nil {
		t.Fatal(err)
	}
	address := testall.Accept(t, func(c net.Conn) {
		secured := tls.Server(&spoilt{Conn: c, after: time.Second}, &tls.Config{Certificates: []tls.Certificate{certificate}})
		in := bufio.NewReader(secured)
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			io.WriteString(secured, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	doc, err := probe.Run(context.Background(), probe.Config{Target: "https://" + address + "/", Roots: roots, MaxWait: 4 * time.Second, Experiments: probe.IdleExperiments("https")[:1]})
	if err != nil {
		t.Fatal(err)
	}
	limit := doc.ProtocolNamed("http/1.1").AfterResponse
	if limit.Said == nil || limit.Said.Text != "alert bad record MAC" || !strings.HasPrefix(string(limit.Ending), "alert bad record MAC, ") {
		t.Errorf("it ends by %q, and says %+v (%s)", limit.Ending, limit.Said, limit.Why)
	}
	if r, _ := doc.ResultOf("idle-wordless"); r.Outcome != profile.Pass {
		t.Errorf("idle-wordless: %s, %s", r.Outcome, r.Text)
	}
}

// TestResponseThatTheProbeHasDestroyed: a server that closes without reading on resets the
// connection, and the rest of a long response is lost. That is the harm which close-staged
// warns of, provoked by the probe, and no message of which the server has sent half.
func TestResponseThatTheProbeHasDestroyed(t *testing.T) {
	t.Parallel()
	const long = 40 << 10
	address := testall.Accept(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", long)
			if r.Close {
				io.WriteString(c, head+"Connection: close\r\n\r\n"+strings.Repeat("x", long/2))
				if _, err := in.Peek(1); err == nil {
					time.Sleep(100 * time.Millisecond) // so that half of it is there before the reset
					c.(*net.TCPConn).SetLinger(0)
					return
				}
			}
			io.WriteString(c, head+"\r\n"+strings.Repeat("x", long))
		}
	})
	doc, err := probe.Run(context.Background(), probe.Config{Target: "http://" + address + "/", MaxWait: 2 * time.Second,
		Cases: []profile.Case{conformance.CaseByID("message-complete"), conformance.CaseByID("close-staged")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range doc.Cases {
		if want := map[string]profile.Outcome{"message-complete": profile.Pass, "close-staged": profile.Warn}[r.ID]; r.Outcome != want {
			t.Errorf("%s: %s (%s), want %s", r.ID, r.Outcome, r.Text, want)
		}
	}
}

// TestLimitOfRequestsThatIsLoad: a server whose workers are all busy ends a connection
// after ten requests, so that others have their turn, and lets one that is alone go on.
func TestLimitOfRequestsThatIsLoad(t *testing.T) {
	t.Parallel()
	var open atomic.Int32
	address := testall.Accept(t, func(c net.Conn) {
		open.Add(1)
		defer open.Add(-1)
		c.SetReadDeadline(time.Now().Add(2 * time.Second))
		in := bufio.NewReader(c)
		for n := 1; ; n++ {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			last := r.Close || n >= 10 && open.Load() > 1
			said := "keep-alive"
			if last {
				said = "close"
			}
			body := "hello"
			if r.Method == http.MethodHead {
				body = ""
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: %s\r\nContent-Length: 5\r\n\r\n%s", said, body)
			if last {
				return
			}
			c.SetReadDeadline(time.Now().Add(2 * time.Second))
		}
	})
	doc, err := probe.Run(context.Background(), probe.Config{Target: "http://" + address + "/", MaxWait: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if c := doc.ProtocolNamed("http/1.1").Requests; c.State != profile.AtLeast || c.N <= 10 {
		t.Errorf("requests on a connection are %s (%s), and there is no limit", c, c.Why)
	}
}
