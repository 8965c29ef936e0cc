package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestAsCurl holds what a server hears of get against what it hears of curl, which was given
// the same flags.
func TestAsCurl(t *testing.T) {
	curl := program(t, "curl", "curl")
	var mu sync.Mutex
	var heard []string
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, fmt.Sprintf("%s %s host=%s ua=%q accept=%q auth=%q x=%q type=%q content=%q", r.Method, r.RequestURI, r.Host,
			r.Header.Values("User-Agent"), r.Header.Values("Accept"), r.Header.Values("Authorization"), r.Header.Values("X-A"), r.Header.Values("Content-Type"), content))
	})}
	defer server.Close()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	path := filepath.Join(dir, "socket")
	u, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(u)
	for name, text := range map[string]string{"content": "c=d\r\ne\n", "fields": "X-A: 3\nX-A: 4\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	here := "http://127.0.0.1:" + port + "/p?q=1"
	for _, args := range [][]string{
		{here, "-A", "a/1"},
		{here, "-A", "a/1", "-H", "X-A: 1", "-H", "Accept:", "-H", "X-A: 2"},
		{here, "-A", "a/1", "-H", "Host: b.example", "-H", "accept: image/*"},
		{here, "-A", "a/1", "-H", "@" + filepath.Join(dir, "fields"), "-u", "me:sec:ret"},
		{here, "-A", "a/1", "-d", "a=b", "-d", "@" + filepath.Join(dir, "content")},
		{here, "-A", "a/1", "-X", "PUT", "-d", "a=b", "-H", "Content-Type: text/plain"},
		{here, "-A", "a/1", "-X", "DELETE"},
		{"http://a.example:" + port + "/", "-A", "a/1", "--resolve", "a.example:" + port + ":127.0.0.1"},
		{"http://a.example/", "-A", "a/1", "--connect-to", "a.example:80:127.0.0.1:" + port},
		{"http://a.example/", "-A", "a/1", "--unix-socket", path},
		{"http://localhost:" + port + "/", "-A", "a/1", "-4", "--max-time", "20"},
	} {
		heard = nil
		if out, err := exec.Command(curl, append([]string{"-s", "-S"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("curl %q: %v: %s", args, err, out)
		}
		if _, said, status := command(t, append([]string{"get", "--http1.1"}, args...)...); status != exitDone {
			t.Errorf("get %q: status %d: %s", args, status, said)
		}
		if len(heard) != 2 || heard[0] != heard[1] {
			t.Errorf("%q: of curl and of us is heard\n%s", args, strings.Join(heard, "\n"))
		}
	}
}

// TestPasswordsOfURLsStay shows that no password of a URL is repeated, whoever gave it: an
// argument, a list, a server's Location, a HAR, a trace.
func TestPasswordsOfURLsStay(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("credentials went to another host: %v", r.Header)
	}))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", strings.Replace(elsewhere.URL, "//", "//me:hush@", 1)+"/b")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://me:hush@"+r.Host+"/page")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "you" {
			t.Errorf("within the origin, what was given by -u is sent: %v", r.Header)
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<img src=http://me:hush@%s/a><img src=%s/c>", r.Host, elsewhere.URL)
	})
	mux.HandleFunc("/a", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	defer server.Close()
	dir := t.TempDir()
	t.Chdir(dir)
	bad := "http://me:hush@" + strings.TrimPrefix(server.URL, "http://") + "/page"
	text := `{"log":{"version":"1.2","entries":[{"startedDateTime":"2026-01-02T03:04:05.000Z","time":10,
		"request":{"method":"GET","url":"http://me:hush@a.example/b?c","httpVersion":"HTTP/1.1","headers":[{"name":"Referer","value":"http://me:hush@a.example/"}],"headersSize":100,"bodySize":0},
		"response":{"status":302,"httpVersion":"HTTP/1.1","headers":[],"redirectURL":"http://me:hush@a.example/d","headersSize":100,"bodySize":0,"content":{"size":0,"mimeType":"text/html"}},
		"timings":{"send":1,"wait":8,"receive":1}}]}}`
	for name, content := range map[string]string{"list": bad + "\nhttp://me:hu%zzhush@a/\n" + server.URL + "/page\n", "x.har": text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login := []string{"-u", "you:secret"}
	for _, c := range []struct {
		status int
		args   []string
	}{
		{exitUsage, []string{"get", bad}},
		{exitUsage, []string{"get", "http://me:hu%zzhush@a/"}},
		{exitUsage, []string{"compare", bad, "--on", "live"}},
		{exitUsage, []string{"sweep", bad}},
		{exitUsage, []string{"probe", bad}},
		{exitAssertion, []string{"probe", "--chain", "client=60s," + bad}},
		{exitUsage, []string{"compare", "dns", "--on", "live", "--server", "https://me:hush@a/"}},
		{exitUsage, []string{"report", bad}},
		{exitDone, append([]string{"get", server.URL + "/away", "-o", "a.json", "-o", "a.trace", "-o", "a.html", "-o", "a.har", "-o", "a.txt"}, login...)},
		{exitDone, append([]string{"get", server.URL + "/here", "-o", "h.json", "-o", "h.trace", "-o", "h.html", "-o", "h.har", "-o", "h.txt"}, login...)},
		{exitUnreachable, append([]string{"compare", server.URL + "/away", "--on", "live", "-s", "close"}, login...)},
		{exitAssertion, append([]string{"probe", "-f", "list", "--only", "close-honoured", "--timeout", "2s", "-o", "l.json", "-o", "l.csv", "-o", "l.xml", "-o", "l.sarif", "-o", "l.prom", "-o", "l.txt"}, login...)},
		{exitDone, []string{"report", "x.har", "-o", "r.json", "-o", "r.trace", "-o", "r.html", "-o", "r.txt"}},
		{exitDone, []string{"report", "h.trace", "--json"}},
	} {
		out, said, status := command(t, c.args...)
		if status != c.status || said == "" && status != exitDone {
			t.Errorf("%q: status %d: %s", c.args, status, said)
		}
		if strings.Contains(out+said, "hush") || strings.Contains(out+said, "secret") {
			t.Errorf("%q prints a secret:\n%s%s", c.args, out, said)
		}
	}
	files, err := filepath.Glob("?.*")
	if err != nil || len(files) != 21 {
		t.Fatalf("%d files were written, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil { // a trace
			b, _ = io.ReadAll(z)
		}
		if f != "x.har" && strings.Contains(string(b), "hush") {
			t.Errorf("%s repeats a password", f)
		}
	}
}

// TestSecretsStay shows that nothing of what may be secret is repeated by what a verb writes.
func TestSecretsStay(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "hush" || r.Header.Get("X-Token") != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		w.Header().Set("Content-Type", "text/html")
	}))
	defer server.Close()
	dir := t.TempDir()
	secrets := []string{"-u", "me:hush", "-H", "X-Token: hush", "-d", "hush"}
	for _, args := range [][]string{
		{"get", server.URL, "-o", "g.html", "-o", "g.json", "-o", "g.har", "-o", "g.trace", "-o", "g.txt"},
		{"compare", server.URL, "--on", "live", "--trials", "1", "-s", "close", "-o", "c.html", "-o", "c.json", "-o", "c.trace", "-o", "c.txt"},
		{"probe", server.URL, "--only", "close-honoured", "--timeout", "2s", "-o", "p.html", "-o", "p.json", "-o", "p.txt"},
	} {
		for i, a := range args {
			if i > 0 && args[i-1] == "-o" {
				args[i] = filepath.Join(dir, a)
			}
		}
		out, said, status := command(t, append(args, secrets...)...)
		if status != exitDone {
			t.Errorf("%q: status %d: %s", args, status, said)
		}
		if strings.Contains(out+said, "hush") {
			t.Errorf("%q prints a secret:\n%s%s", args, out, said)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 12 {
		t.Fatalf("%d files were written, %v", len(files), err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "p.json")); err != nil || !strings.Contains(string(b), `"status": 200`) {
		t.Errorf("the probe was not let in, %v", err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), "hush") || strings.Contains(string(b), "bWU6aHVzaA") {
			t.Errorf("%s repeats a secret, %v", filepath.Base(f), err)
		}
	}
}
