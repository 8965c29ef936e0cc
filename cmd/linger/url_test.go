package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/content"
	"linger/internal/testall"
	"linger/origin"
	"linger/origin/authority"
	"linger/origin/listen"
	"linger/policy"
	"linger/report/words"
)

// measured runs linger compare and returns what it found.
func measured(t *testing.T, args ...string) (f words.ToldFindings, stderr string) {
	t.Helper()
	return ending(t, exitDone, args...)
}

// ending is measured, with the status that it ends with.
func ending(t *testing.T, want int, args ...string) (f words.ToldFindings, stderr string) {
	t.Helper()
	out, errs, status := command(t, append([]string{"compare", "--json"}, args...)...)
	if status != want {
		t.Fatalf("status %d, not %d: %s", status, want, errs)
	}
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatal(err)
	}
	return f, errs
}

// opened is how many connections all loads have opened, by our count, the first
// visit's six included.
func opened(f words.ToldFindings) int {
	n := 6
	for _, r := range f.Rows {
		n += int(r.Connections.Or(0)) * r.Trials
	}
	return n
}

// background runs a program until the test ends, once it listens.
func background(t *testing.T, address, dir, path string, args ...string) {
	t.Helper()
	listens := func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	testall.Start(t, listens, append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir), path, args...)
}

// certify puts a certificate for a host and its key into a folder, as cert.pem and key.pem, and
// returns the file of the roots that it is checked by.
func certify(t *testing.T, dir, host string) (roots string) {
	t.Helper()
	ca, err := authority.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Certificate(host)
	if err != nil {
		t.Fatal(err)
	}
	roots = filepath.Join(dir, "roots.pem")
	var chain []byte
	for _, der := range leaf.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		filepath.Join(dir, "cert.pem"): chain,
		filepath.Join(dir, "key.pem"):  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		roots:                          ca.PEM(),
	} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return roots
}

// files writes a workload as files below a folder.
func files(t *testing.T, w linger.Workload, root string) {
	t.Helper()
	for i, e := range w.Exchanges {
		name := filepath.Join(root, e.Path)
		if e.Path == "/" {
			name = filepath.Join(root, "index.html")
		}
		b, err := io.ReadAll(content.Body(w, i))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(name), 0o755)
		}
		if err == nil {
			err = os.WriteFile(name, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestLiveCountsAsNginx has nginx number the connections that it accepts.
func TestLiveCountsAsNginx(t *testing.T) {
	t.Parallel()
	nginx := program(t, "nginx", "nginx-light")
	dir, address := t.TempDir(), testall.FreeAddress(t)
	files(t, linger.Gallery(1), filepath.Join(dir, "www"))
	seen := filepath.Join(dir, "access.log")
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 512; }
http {
	log_format seen '$connection $uri';
	access_log %[1]s/access.log seen;
	types { text/html html; image/png png; }
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen %[2]s; root %[1]s/www; }
}
`, dir, address), 0o644); err != nil {
		t.Fatal(err)
	}
	background(t, address, dir, nginx, "-e", filepath.Join(dir, "error.log"), "-c", config)
	// serial is the number of a new connection.
	serial := func() int {
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + address + "/probe")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		for range 200 {
			b, _ := os.ReadFile(seen)
			if m := regexp.MustCompile(`(\d+) /probe`).FindAllSubmatch(b, -1); m != nil {
				os.Truncate(seen, 0)
				n, _ := strconv.Atoi(string(m[len(m)-1][1]))
				return n
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("nginx writes no log")
		return 0
	}
	before := serial()
	f, errs := measured(t, "http://"+address+"/", "--on", "live", "--trials", "2", "-s", "close,close:6,keep,keep:6,pipeline")
	if theirs := serial() - before - 1; theirs != opened(f) {
		t.Errorf("nginx accepted %d connections, we count %d", theirs, opened(f))
	}
	if !strings.Contains(errs, "at most 410 requests to "+address+" (strategies: 5, trials: 2, objects: 41)") {
		t.Error(errs)
	}
	for _, r := range f.Rows {
		if !r.Packets.IsZero() || !r.WireBytes.IsZero() || !r.Overhead.IsZero() || r.NotHonoured {
			t.Errorf("%+v", r)
		}
	}
}

// TestLiveCountsAsCaddy takes the connections from Caddy's access log, over TLS.
func TestLiveCountsAsCaddy(t *testing.T) {
	t.Parallel()
	caddy := program(t, "caddy", "caddy")
	dir, address := t.TempDir(), testall.FreeAddress(t)
	files(t, linger.Gallery(1), filepath.Join(dir, "www"))
	roots := certify(t, dir, "127.0.0.1")
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{
	admin off
	auto_https off
	servers {
		protocols h1 h2
	}
}
https://%[2]s {
	root * %[1]s/www
	file_server
	log {
		output file %[1]s/access.log
	}
	tls %[1]s/cert.pem %[1]s/key.pem
}
`, dir, address), 0o644); err != nil {
		t.Fatal(err)
	}
	background(t, address, dir, caddy, "run", "--adapter", "caddyfile", "--config", config)
	f, _ := measured(t, "https://"+address+"/", "--cacert", roots, "--on", "live", "--trials", "2", "-s", "close:6,keep,h2")
	want := 41 * (2*len(f.Rows) + 1)
	var lines int
	var ports map[string]bool
	for range 200 {
		lines, ports = 0, map[string]bool{}
		b, _ := os.ReadFile(filepath.Join(dir, "access.log"))
		for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); lines++ {
			var entry struct {
				Request struct {
					Port string `json:"remote_port"`
				}
			}
			// The first visit's come first; a connection without a request is not in the log.
			if json.Unmarshal(in.Bytes(), &entry); lines >= 41 {
				ports[entry.Request.Port] = true
			}
		}
		if lines >= want {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if ours := opened(f) - 6; lines != want || len(ports) != ours {
		t.Errorf("Caddy answered %d requests on %d connections; we count %d on %d", lines, len(ports), want, ours)
	}
}

// TestLiveCountsAsTheOrigin holds the count against an origin that keeps no connection,
// which no persistent strategy gets.
func TestLiveCountsAsTheOrigin(t *testing.T) {
	t.Parallel()
	server, err := origin.New(origin.Config{Workload: linger.Gallery(1), Policy: policy.ServerPolicy{MaxRequests: 1}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(context.Background(), l)
	f, _ := measured(t, "http://"+l.Addr().String()+"/", "--on", "live", "--trials", "2", "-s", "close,keep,keep:6")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server.Shutdown(ctx)
	// The visit's connections were closed too.
	if theirs := server.Counters(); theirs.Accepted != int64(opened(f)-6+41) || theirs.Requests != 41*7 {
		t.Errorf("the origin counts %+v, we count %d connections", theirs, opened(f)-6+41)
	}
	for _, r := range f.Rows {
		if r.Connections.Or(0) != 41 || r.NotHonoured != r.Persistent {
			t.Errorf("%s: %v connections, not honoured: %v", r.Strategy, r.Connections, r.NotHonoured)
		}
	}
	// The last close of a load may come behind its end.
	if !regexp.MustCompile(`keep: the server closed kept connections (7[89]|8[0-2]) times`).MatchString(fmt.Sprint(f.Caveats)) {
		t.Errorf("%v", f.Caveats)
	}
}

// deaf serves a page of two objects on any connection, and never closes one.
func deaf(t *testing.T) string {
	t.Helper()
	return "http://" + testall.Accept(t, func(c net.Conn) {
		for in := bufio.NewReader(c); ; {
			if _, err := http.ReadRequest(in); err != nil {
				time.Sleep(10 * time.Second)
				return
			}
			body := `<img src=/a.png>`
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	}) + "/"
}

func TestServerIgnoresClose(t *testing.T) {
	t.Parallel()
	f, _ := measured(t, deaf(t), "--on", "live", "--trials", "1", "-s", "close,keep")
	if !f.Rows[0].NotHonoured || f.Rows[1].NotHonoured || !strings.Contains(fmt.Sprint(f.Caveats), "close: the server left 2 connections open although asked to close") {
		t.Errorf("%+v\n%v", f.Rows, f.Caveats)
	}
}

// TestServerSpeaksLess has a server without HTTP/2 and without HTTP/3: the other
// strategies are measured all the same, and it is not asked in vain again.
func TestServerSpeaksLess(t *testing.T) {
	t.Parallel()
	var dialled atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		io.WriteString(out, "<img src=/a.png>")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dialled.Add(1)
		}
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	f, _ := measured(t, server.URL+"/", "-k", "--on", "live", "--trials", "3", "-s", "close,keep,h2,h3")
	for i, whole := range []bool{true, true, false, false} {
		if r := f.Rows[i]; r.Time.IsZero() == whole || (r.Failed == 0) != whole || r.Trials != 3 {
			t.Errorf("%+v", r)
		}
	}
	text := fmt.Sprint(f.Caveats)
	for _, want := range []string{"h2: ", "h3: ", "not asked again after"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// TestPagesChange has a page whose objects have another size each time.
func TestPagesChange(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		io.WriteString(out, "<img src=/a.png><img src=/gone.png>")
		if in.URL.Path == "/gone.png" && n.Load() > 6 {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(out, strings.Repeat("x", int(n.Add(1))))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer server.Close()
	f, _ := ending(t, exitAssertion, server.URL+"/", "--on", "live", "--trials", "2", "-s", "keep")
	if r := f.Rows[0]; r.Trials != 2 || r.Failed != 1 {
		t.Errorf("%+v", r)
	}
	var codes []string
	for _, d := range f.Caveats {
		codes = append(codes, d.Code)
	}
	if !slices.Contains(codes, compare.Changed) || slices.Contains(codes, compare.Bytes) {
		t.Errorf("%v", f.Caveats)
	}
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	status := func(path string, code int) {
		mux.HandleFunc(path, func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(code) })
	}
	status("/login", 401)
	status("/forbidden", 403)
	status("/gone", 410)
	status("/nowhere", 302)
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/far/", func(out http.ResponseWriter, in *http.Request) {
		http.Redirect(out, in, in.URL.Path+"x", http.StatusFound)
	})
	mux.Handle("/away", http.RedirectHandler("https://elsewhere.example/", http.StatusFound))
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, in *http.Request) { <-in.Context().Done() })
	mux.HandleFunc("/large", func(out http.ResponseWriter, in *http.Request) {
		out.Header().Set("Content-Length", fmt.Sprint(1<<30))
		for piece := make([]byte, 1<<20); in.Context().Err() == nil; {
			if _, err := out.Write(piece); err != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	closed := "http://" + testall.FreeAddress(t) + "/"
	for _, test := range []struct {
		url    string
		status int
		want   string
	}{
		{server.URL + "/login", exitUnreachable, "is not for everybody (status 401)"},
		{server.URL + "/forbidden", exitUnreachable, "is not for everybody (status 403)"},
		{server.URL + "/gone", exitUnreachable, "answers with status 410"},
		{server.URL + "/nowhere", exitUnreachable, "answers with status 302"},
		{server.URL + "/loop", exitUnreachable, "redirects to " + server.URL + "/loop"},
		{server.URL + "/far/", exitUnreachable, "redirects to " + server.URL + "/far/xxxxxx"},
		{server.URL + "/away", exitUnreachable, "redirects to https://elsewhere.example/"},
		{server.URL + "/slow", exitUnreachable, "not done after 3s; give it longer with --timeout"},
		{server.URL + "/large", exitUnreachable, "larger than the 64 MB that one visit takes"},
		{closed, exitUnreachable, "connection refused"},
		{"http://nobody.invalid/", exitUnreachable, "check the name"},
		{"ftp://localhost/", exitUsage, "is not an http or https URL"},
		{"https://a b/", exitUsage, "is not a URL"},
		{"https://me:secret@localhost/", exitUsage, "user and password are not sent"},
	} {
		for _, on := range []string{"lab", "live"} {
			_, errs, status := command(t, "compare", test.url, "--on", on, "--timeout", "3s", "-s", "keep", "--trials", "1")
			lines := strings.Split(strings.TrimSpace(errs), "\n")
			if last := lines[len(lines)-1]; status != test.status || !strings.Contains(last, test.want) || strings.Contains(errs, "secret@") || len(lines) > 2 {
				t.Errorf("%s on %s: status %d, %s", test.url, on, status, errs)
			}
		}
	}
	// A strategy that cannot be is refused before anybody is asked.
	if _, errs, status := command(t, "compare", closed, "-s", "h3"); status != exitUsage || strings.Contains(errs, "visited") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// TestOddPages compares what is no ordinary page: it is bounded, and says so.
func TestOddPages(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	mux := http.NewServeMux()
	serve := func(path, kind, body string) {
		mux.HandleFunc(path, func(out http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			asked[path]++
			mu.Unlock()
			out.Header().Set("Content-Type", kind)
			io.WriteString(out, body)
		})
	}
	serve("/data.json", "application/json", `{"a": "<img src=/no>"}`)
	serve("/self", "text/html", `<img src=/self><img src="#a"><img src="self?">`)
	serve("/schemes", "text/html", `<img src="data:image/png;base64,AA"><img src="blob:x"><img srcset=", ,(((,1x 2w 3q,"><script src="javascript:0"></script><img src=mailto:x>`)
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, want := range map[string]struct {
		exchanges int
		note      string
	}{
		"/data.json": {1, "the document is no HTML that can be read (application/json)"},
		"/self":      {2, ""}, // of another query, it is another object
		"/schemes":   {1, ""},
	} {
		f, errs := measured(t, server.URL+path, "--on", "live", "--trials", "1", "-s", "keep")
		if f.Workload.Exchanges != want.exchanges || !strings.Contains(errs, want.note) {
			t.Errorf("%s: %d exchanges; %s", path, f.Workload.Exchanges, errs)
		}
		if mu.Lock(); asked[path] != 2*want.exchanges {
			t.Errorf("%s was asked for %d times", path, asked[path])
		}
		mu.Unlock()
	}
}

// TestURLInTheLab fetches a page once and serves it from the lab.
func TestURLInTheLab(t *testing.T) {
	needLab(t)
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		asked.Add(1)
		if in.URL.Path != "/" {
			out.Header().Set("Content-Type", "image/png")
			out.Write(make([]byte, 5000))
			return
		}
		out.Header().Set("Content-Type", "text/html")
		io.WriteString(out, strings.Repeat("<p>text", 500)+"<img src=/a.png><img src=/b.png>")
	}))
	defer server.Close()
	f, errs := measured(t, server.URL+"/", "--trials", "2", "--network", "lan", "-s", "close,keep")
	if asked.Load() != 3 || f.Engine != "lab" || f.Workload.Exchanges != 3 || f.Workload.Bytes != 3532+10000 {
		t.Errorf("asked %d times; engine %s, %+v", asked.Load(), f.Engine, f.Workload)
	}
	for i, connections := range []float64{3, 1} {
		if r := f.Rows[i]; r.Failed > 0 || r.Connections.Or(0) != connections || r.Packets.IsZero() {
			t.Errorf("%+v", r)
		}
	}
	if !strings.Contains(errs, "is visited once to see what it names: at most 206 requests") {
		t.Error(errs)
	}
}

func TestLiveFlags(t *testing.T) {
	const url = "http://127.0.0.1:9/"
	for _, test := range []struct{ args, want string }{
		{url + " --on live --scheme https", "the URL says it"},
		{url + " --on live --browser chromium", "a browser is measured in the lab"},
		{url + " --server 127.0.0.1", "--server is for names"},
		{url + " --answer-size 5", "is for names"},
		{url + " --rate 0", "is not a rate"},
		{"gallery --on live", "for names and pages"},
		{"gallery -k", "about a server outside"},
	} {
		_, errs, status := command(t, append([]string{"compare"}, strings.Fields(test.args)...)...)
		if test.want == "a browser is measured in the lab" && status == exitUnreachable {
			t.Errorf("%s: the server is asked first", test.args)
		}
		if status != exitUsage || !strings.Contains(errs, test.want) {
			t.Errorf("%s: status %d, %s", test.args, status, errs)
		}
	}
}
