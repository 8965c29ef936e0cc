package probe_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/conformance"
	"linger/internal/testall"
	"linger/internal/testcert"
	"linger/probe"
	"linger/profile"
)

// go test ./probe -run TestRealServers -update rewrites the tables of serversDoc.
var update = flag.Bool("update", false, "rewrite the tables of "+serversDoc)

const serversDoc = "../docs/probe-servers.md"

// skip skips a test for what the machine lacks, and fails it where nothing may lack.
var skip = testall.Lacks

// A place is what a server is started with.
type place struct {
	dir, address, port string
	pem                string // key and certificate of 127.0.0.1, in one file
	backend            string // port of a server that answers what a proxy asks
}

// fill puts the place's own for what stands for it.
func (at place) fill(text string) string {
	host, _, _ := net.SplitHostPort(at.address)
	return strings.NewReplacer("DIR", at.dir, "HOST", host, "BACKENDPORT", at.backend, "PORT", at.port, "PEM", at.pem).Replace(text)
}

// target is what of a server is probed there.
func (s realServer) target(address string) string {
	if s.scheme == "dns" {
		return "dns://" + address + "/www.example"
	}
	return s.scheme + "://" + address + "/"
}

// protocol is that of the figures in the table.
func (s realServer) protocol() linger.Protocol {
	if s.scheme == "dns" {
		return linger.DNSOverTCP
	}
	return linger.HTTP11
}

// quiet is the log of a server of which errors are expected.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func goServer(secure bool) func(*testing.T, place) {
	return func(t *testing.T, at place) {
		ln, err := net.Listen("tcp", at.address)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: hello(), ErrorLog: quiet(), IdleTimeout: setIdle, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
		if secure {
			go s.ServeTLS(ln, at.pem, at.pem)
		} else {
			go s.Serve(ln)
		}
		t.Cleanup(func() { s.Close() })
	}
}

// hello answers /, and nothing else.
func hello() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	return mux
}

// authority makes a key and a certificate of 127.0.0.1 that vouches for itself.
func authority(t *testing.T) (roots *x509.CertPool, pemFile []byte) {
	t.Helper()
	c := testcert.SelfSigned(x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	certificate, key := testcert.PEM(c)
	return testcert.Roots(c), append(certificate, key...)
}

// needServers skips the test where one of the servers is not installed.
func needServers(t *testing.T, servers []realServer) {
	t.Helper()
	for _, s := range servers {
		if s.program != "" && testall.Located(s.program) == "" {
			skip(t, "%s is not installed; Debian has it in %s", s.program, s.from)
		}
	}
}

// prepare writes what the server reads, into a directory of its own.
func (s realServer) prepare(t *testing.T, at place, page, pemFile []byte) place {
	t.Helper()
	dir := testall.OpenDir(t)
	at.dir, at.pem = dir, filepath.Join(dir, "pem")
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("pem", pemFile)
	write("index.html", page)
	for name, text := range s.files {
		write(name, []byte(at.fill(text)))
	}
	return at
}

// command is how the server is started.
func (s realServer) command(at place) (path string, args, env []string) {
	for _, a := range s.args {
		args = append(args, at.fill(a))
	}
	return testall.Located(s.program), args, append(os.Environ(), "HOME="+at.dir)
}

// loopback is a place that nobody listens at.
func loopback(t *testing.T) place {
	t.Helper()
	address := testall.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	return place{address: address, port: port}
}

// launch starts the server; whether it listens has to be seen.
func (s realServer) launch(t *testing.T, at place) {
	t.Helper()
	if s.serve != nil {
		s.serve(t, at)
		return
	}
	path, args, env := s.command(at)
	cmd := exec.Command(path, args...)
	if s.apart {
		cmd = exec.Command("setsid", append([]string{path}, args...)...)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = &said, &said, at.dir, env
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	gone := make(chan struct{})
	go func() { cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-gone:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-gone
		}
		if t.Failed() {
			t.Logf("%s said: %s", s.name, said.String())
		}
	})
}

// start starts the server, and returns where it is once it listens.
func (s realServer) start(t *testing.T, pemFile []byte) (target, dir string) {
	t.Helper()
	at := s.prepare(t, loopback(t), []byte("hello\n"), pemFile)
	s.launch(t, at)
	if err := listens(at.address); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return s.target(at.address), at.dir
}

// listens waits until somebody listens there.
func listens(address string) error {
	var err error
	for range 200 {
		var c net.Conn
		if c, err = net.Dial("tcp", address); err == nil {
			return c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// saysVersion is the version of the program, in its own words.
func (s realServer) saysVersion() string {
	if s.program == "" {
		return strings.TrimPrefix(runtime.Version(), "go")
	}
	out, _ := exec.Command(testall.Located(s.program), s.version...).CombinedOutput()
	for word := range strings.FieldsSeq(string(out)) {
		if i := strings.IndexAny(word, "0123456789"); i >= 0 && strings.Contains(word, ".") {
			word = word[i:]
			if end := strings.IndexFunc(word, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end > 0 {
				word = word[:end]
			}
			return word
		}
	}
	return ""
}

// A client asks with a connection for each request, as curl does.
type client struct {
	target string
	roots  *x509.CertPool
}

// dial opens a connection and asks once. What comes later is read from the reader.
func (c client) dial() (net.Conn, *bufio.Reader, error) {
	u, err := url.Parse(c.target)
	if err != nil {
		return nil, nil, err
	}
	dialer := &net.Dialer{Timeout: 20 * time.Second}
	conn, err := dialer.Dial("tcp", u.Host)
	if err != nil {
		return nil, nil, err
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if u.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{RootCAs: c.roots, ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}})
	}
	from := bufio.NewReader(conn)
	if err := c.ask(u, conn, from); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, from, nil
}

func (c client) ask(u *url.URL, conn net.Conn, from *bufio.Reader) error {
	if u.Scheme == "dns" {
		query := "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01"
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
			return err
		}
		var size uint16
		if err := binary.Read(from, binary.BigEndian, &size); err != nil {
			return err
		}
		_, err := io.CopyN(io.Discard, from, int64(size))
		return err
	}
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", u.Host); err != nil {
		return err
	}
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// beside asks every fifth of a second until ctx is over, and returns the longest that
// it took to be answered.
func (c client) beside(ctx context.Context) (longest time.Duration, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		all.Go(func() {
			began := time.Now()
			conn, _, failed := c.dial()
			took := time.Since(began)
			if failed == nil {
				conn.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			longest, err = max(longest, took), cmp.Or(err, failed)
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	all.Wait()
	return longest, err
}

// idles watches connections that were answered once, one of which begins every
// 0.35 s, and returns when the server ended them, the shortest first.
func (c client) idles(n int) ([]time.Duration, error) {
	lasted := make([]time.Duration, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			time.Sleep(time.Duration(i) * 350 * time.Millisecond)
			conn, from, err := c.dial()
			if err != nil {
				errs[i] = err
				return
			}
			defer conn.Close()
			began := time.Now()
			if _, err := from.ReadByte(); !errors.Is(err, io.EOF) {
				errs[i] = fmt.Errorf("it ends by %v", err)
			}
			lasted[i] = time.Since(began)
		})
	}
	all.Wait()
	slices.Sort(lasted)
	return lasted, errors.Join(errs...)
}

// A survey is what was found of one server.
type survey struct {
	server  realServer
	at      place
	config  probe.Config
	policy  *profile.Profile
	beside  time.Duration   // that another client waited for an answer, at most
	plainly []time.Duration // that a plain socket was kept, the shortest first
	late    time.Duration   // by how much this side woke too late, at most
	err     error
}

// run probes the server, with a client beside, and then watches plain sockets.
func (v *survey) run() {
	if v.err = listens(v.at.address); v.err != nil {
		return
	}
	machine := testall.Watch()
	defer func() { v.late = machine() }()
	other := client{v.config.Target, v.config.Roots}
	ctx, enough := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var refused error
	all.Go(func() { v.beside, refused = other.beside(ctx) })
	v.policy, v.err = probe.Run(context.Background(), v.config)
	if v.err == nil && v.server.idle > 0 {
		// Over more than a second, which some clocks tick in; with the client beside, which
		// has some servers look more often.
		v.plainly, v.err = other.idles(4)
	}
	enough()
	all.Wait()
	if refused != nil {
		v.err = errors.Join(v.err, fmt.Errorf("the client beside the probe: %w", refused))
	}
}

// TestRealServers holds what is measured of servers against what they were told, all
// at once. What the document has of them is held against it, too.
func TestRealServers(t *testing.T) {
	t.Parallel()
	servers := realServers
	if !testall.Asked() { // Go's own
		servers = slices.DeleteFunc(slices.Clone(servers), func(s realServer) bool { return s.program != "" })
	}
	needServers(t, servers)
	roots, pemFile := authority(t)
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	behind := &http.Server{Handler: hello(), ErrorLog: quiet()}
	go behind.Serve(backend)
	t.Cleanup(func() { behind.Close() })
	_, backendPort, _ := net.SplitHostPort(backend.Addr().String())

	surveys := make([]*survey, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		at := loopback(t)
		at.backend = backendPort
		v := &survey{server: s, at: s.prepare(t, at, []byte("hello\n"), pemFile)}
		surveys[i] = v
		v.config = probe.Config{Target: s.target(at.address), Roots: roots, MaxWait: 20 * time.Second}
		s.launch(t, v.at)
		all.Go(v.run)
	}
	all.Wait()
	// What this machine may have spoiled, or was not reached to the end, is probed again, with less
	// beside it.
	for range 2 {
		for _, v := range surveys {
			if v.err != nil || v.spoiled() || v.waited() {
				all.Go(v.run)
			}
		}
		all.Wait()
	}
	for _, v := range surveys {
		t.Run(v.server.name, func(t *testing.T) {
			if v.err != nil && v.spoiled() {
				skip(t, "this machine is too busy to say: it woke up %v too late: %v", v.late, v.err)
			}
			if v.err != nil {
				t.Fatal(v.err)
			}
			v.log(t)
			faults := v.faults()
			if v.spoiled() {
				skip(t, "this machine is too busy to say: %q", faults)
			}
			for _, f := range faults {
				t.Error(f)
			}
		})
	}
	if !t.Failed() && len(surveys) == len(realServers) {
		checkServersDoc(t, "table", surveyTable(surveys))
	}
}

// spoiled reports whether something is wrong for which this machine may be the reason.
func (v *survey) spoiled() bool {
	late := v.late > near(0)/2
	if v.err != nil {
		return late // the server, too
	}
	return (late || wasBusy(v.policy)) && v.faults() != nil
}

// waited reports whether the client beside the probe waited too long. Of one time alone
// it is not known who made it wait: the probe, or what else runs here.
func (v *survey) waited() bool { return v.beside > time.Second && !v.server.alone }

func (v *survey) log(t *testing.T) {
	for _, h := range v.policy.Protocols {
		l := h.AfterResponse
		t.Logf("%s: idle %s, %v to %v ± %v; requests %+v; after connecting %s, after TLS %s", h.Name, l, time.Duration(l.Low), time.Duration(l.High), time.Duration(l.Uncertainty), h.Requests, h.AfterConnect, h.AfterTLS)
	}
	t.Logf("a plain socket: %v; another client waited %v; it took %+v", v.plainly, v.beside, v.policy.Spent)
	for _, r := range v.policy.Cases {
		t.Logf("%-12s %-22s %s", r.Outcome, r.ID, r.Text)
	}
}

// faults are what a profile says that is not so, by what the server was told.
func (v *survey) faults() (faults []string) {
	s, p := v.server, v.policy
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	// What a server makes of what it was told, where it says so.
	if told, err := os.ReadFile(filepath.Join(v.at.dir, "told")); err == nil {
		ms, _ := strconv.Atoi(string(told))
		s.idle = time.Duration(ms) * time.Millisecond
	}
	h := p.ProtocolNamed(s.protocol())
	faults = append(faults, s.idleFaults(h.AfterResponse, s.ending)...)
	if s.http2 != "" {
		faults = append(faults, s.idleFaults(p.ProtocolNamed("h2").AfterResponse, s.http2)...)
	}
	low, high, doubt := time.Duration(h.AfterResponse.Low), time.Duration(h.AfterResponse.High), max(time.Duration(h.AfterResponse.Uncertainty), near(s.idle))
	if h.AfterResponse.N == 1 {
		doubt = max(doubt, s.late) // which does not show by one
	}
	if s.early+s.late > 0 {
		// Ends that spread are a sample: another may lie beside it, but not beside what the
		// server was told.
		low, high = min(low, s.idle-s.early), max(high, s.idle+s.late)
	}
	for _, d := range v.plainly {
		if d < low-doubt || d > high+doubt {
			wrong("a plain socket is kept for %v, and the idle limit is %v to %v ± %v", d, low, high, doubt)
		}
	}
	switch {
	case s.requests > 0 && (h.Requests.State != profile.Measured || h.Requests.N != s.requests):
		wrong("requests on a connection: %s %d, want %d", h.Requests.State, h.Requests.N, s.requests)
	case s.requests == 0 && h.Requests.State != profile.AtLeast:
		wrong("requests on a connection: %s %d, want a lower bound", h.Requests.State, h.Requests.N)
	}
	if p.Spent.Peak > probe.DefaultConnections || p.Spent.Requests > probe.DefaultRequests {
		wrong("it took %+v", p.Spent)
	}
	if v.waited() {
		wrong("another client waited %v for an answer", v.beside)
	}
	for _, r := range p.Cases {
		broken := r.Outcome == profile.Fail || r.Outcome == profile.Warn
		if known := slices.Contains(s.breaks, r.ID); broken != known && r.ID != s.attimes {
			wrong("%s: %s (%s); is it known that it breaks that: %v", r.ID, r.Outcome, r.Text, known)
		}
	}
	return faults
}

// near is how far a limit may be from what was set.
func near(limit time.Duration) time.Duration { return max(limit/50, 100*time.Millisecond) }

// idleFaults holds an idle limit against what the server was told.
func (s realServer) idleFaults(limit profile.Timeout, ending profile.Ending) (faults []string) {
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if s.idle == 0 {
		if limit.State != profile.Unknown {
			wrong("the idle limit is %s, and no connection is kept", limit.State)
		}
		return faults
	}
	from, to := s.idle-s.early-near(s.idle), s.idle+s.late+near(s.idle)
	median := time.Duration(limit.Median)
	switch {
	case limit.State != profile.Measured:
		wrong("the idle limit is %s: %s", limit.State, limit.Why)
	case median < from || median > to:
		wrong("the idle limit is %v, want %v to %v", median, from, to)
	}
	if limit.Ending != ending {
		wrong("idle connections end by %q, want %q", limit.Ending, ending)
	}
	return faults
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

func between(low, high time.Duration) string { return seconds(low) + " to " + seconds(high) }

// interval is where a limit lies.
func interval(limit profile.Timeout) string {
	if limit.State != profile.Measured {
		return ""
	}
	low, high, _ := limit.Interval()
	return between(time.Duration(low), time.Duration(high))
}

// surveyTable is a row a server. Cells that begin and end with a space differ from one
// time to the next.
func surveyTable(surveys []*survey) [][]string {
	rows := [][]string{{"server", " version ", "told", " idle after a response ", " interval ", " by a plain socket ", "ends by", " over HTTP/2 ", "requests on a connection", " another client waits at most ", "breaks"}}
	for _, v := range surveys {
		s, p := v.server, v.policy
		h := p.ProtocolNamed(s.protocol())
		limit := h.AfterResponse
		idle, plain, http2 := "closes at once", "", ""
		if limit.State == profile.Measured {
			idle = seconds(time.Duration(limit.Median))
		}
		if n := len(v.plainly); n > 0 {
			plain = between(v.plainly[0], v.plainly[n-1])
		}
		if s.http2 != "" {
			http2 = seconds(time.Duration(p.ProtocolNamed("h2").AfterResponse.Median))
		}
		requests := fmt.Sprint(h.Requests.N)
		if h.Requests.State == profile.AtLeast {
			requests = "no limit seen"
		}
		var broken []string
		for _, r := range p.Cases {
			if (r.Outcome == profile.Fail || r.Outcome == profile.Warn) && r.ID != s.attimes {
				broken = append(broken, fmt.Sprintf("`%s` (%s)", r.ID, r.Outcome))
			}
		}
		if s.attimes != "" {
			broken = append(broken, fmt.Sprintf("at times `%s` (%s)", s.attimes, conformance.CaseByID(s.attimes).Level.Broken()))
		}
		if broken == nil {
			broken = []string{"nothing"}
		}
		rows = append(rows, []string{
			s.name, s.saysVersion(), s.set, idle, interval(limit), plain, string(limit.Ending), http2, requests,
			seconds(v.beside), strings.Join(broken, ", "),
		})
	}
	return rows
}

// checkServersDoc holds a table of the document against what was measured, but for the
// columns whose titles have spaces around them: these are of one day and one machine.
func checkServersDoc(t *testing.T, name string, rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(serversDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "<!-- "+name+" -->\n\n")
	was, after, done := strings.Cut(rest, "\n<!-- end -->")
	if !ok || !done {
		t.Fatalf("%s has no place for %s", serversDoc, name)
	}
	titles := rows[0]
	var b, exact, had strings.Builder
	for i, row := range rows {
		var cells, lasting []string
		for j, cell := range row {
			cells = append(cells, strings.TrimSpace(cell))
			if !strings.HasPrefix(titles[j], " ") {
				lasting = append(lasting, cell)
			}
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		fmt.Fprintln(&exact, lasting)
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(titles)))
		}
	}
	if *update {
		if err := os.WriteFile(serversDoc, []byte(before+"<!-- "+name+" -->\n\n"+b.String()+"\n<!-- end -->"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i, line := range strings.Split(strings.TrimSuffix(was, "\n"), "\n") {
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
		if i == 1 || len(cells) != len(titles) {
			continue
		}
		var lasting []string
		for j, cell := range cells {
			if !strings.HasPrefix(titles[j], " ") {
				lasting = append(lasting, cell)
			}
		}
		fmt.Fprintln(&had, lasting)
	}
	if had.String() != exact.String() {
		t.Errorf("a table of %s is stale; go test ./probe -run TestRealServers -update writes it anew. Measured, without the times:\n%s", serversDoc, &exact)
	}
}
