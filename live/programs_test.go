package live

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
)

// A site is w as files, with a certificate beside them.
type site struct {
	dir, root, cert, key string
	address              string // where a program is to serve it
}

func newSite(t *testing.T, w linger.Workload, c tls.Certificate) site {
	t.Helper()
	s := newPlace(t, c)
	s.root = filepath.Join(s.dir, "www")
	for i, e := range w.Exchanges {
		name := e.Path
		if name == "/" {
			name = "/index.html"
		}
		name = filepath.Join(s.root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		s.write(t, name, bodyOf(w, i))
	}
	return s
}

// newPlace is a site with nothing to serve but its certificate.
func newPlace(t *testing.T, c tls.Certificate) site {
	t.Helper()
	dir := t.TempDir()
	s := site{dir: dir, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), address: testall.FreeAddress(t)}
	var chain []byte
	for _, der := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	s.write(t, s.cert, string(chain))
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, s.key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return s
}

func (s site) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs a program until the test ends, and waits until it listens.
func (s site) start(t *testing.T, program string, args ...string) {
	t.Helper()
	listens := func() bool {
		c, err := net.Dial("tcp", s.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	env := append(os.Environ(), "HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	testall.Start(t, listens, env, program, args...)
}

// TestNginx fetches from nginx, and counts as its access log does.
func TestNginx(t *testing.T) {
	nginx := tool(t, "nginx")
	for _, test := range []struct{ name, scheme, listen, strategies string }{
		// In cleartext one port of nginx speaks one of the two.
		{"cleartext", "http", "", "close:6,keep,keep:6,pipeline"},
		{"cleartext HTTP 2", "http", " http2", "h2,h2:3"},
		{"TLS", "https", " ssl http2", "close:6,keep,keep:6,pipeline,h2,h2:3,close+resume,keep:6+resume,h2:3+resume"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAuthority(t)
			w := over(t, linger.Gallery(1), test.scheme)
			s := newSite(t, w, a.issue(nil))
			log := filepath.Join(s.dir, "access.log")
			config := filepath.Join(s.dir, "nginx.conf")
			if err := os.WriteFile(config, fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 512; }
http {
	log_format seen '$connection $server_protocol $ssl_session_reused';
	access_log %[2]s seen;
	types { text/html html; image/png png; }
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	ssl_protocols TLSv1.2 TLSv1.3;
	server { listen %[3]s; root %[4]s; ssl_certificate %[5]s; ssl_certificate_key %[6]s; }
}
`, s.dir, log, s.address+test.listen, s.root, s.cert, s.key), 0o644); err != nil {
				t.Fatal(err)
			}
			s.start(t, nginx, "-e", filepath.Join(s.dir, "error.log"), "-c", config)
			for name := range strings.SplitSeq(test.strategies, ",") {
				strategy := strategy(t, name)
				if err := os.Truncate(log, 0); err != nil {
					t.Fatal(err)
				}
				tr := fetch(t, w, name, Config{Address: s.address, Roots: a.roots(), Verify: true})
				if f := failures(tr); len(f) > 0 {
					t.Fatalf("%s: failed %v", name, f)
				}
				used, resumed, seen := 0, 0, 0 // the log has the connections with requests
				for _, c := range tr.Connections {
					h, _ := c.TLS.Get()
					if c.Requests > 0 {
						used++
					}
					if h.Resumed {
						resumed++
						if c.Requests > 0 {
							seen++
						}
					}
				}
				var connections, reused map[string]bool
				lines := 0
				await(t, func() bool {
					connections, reused, lines = map[string]bool{}, map[string]bool{}, 0
					b, _ := os.ReadFile(log)
					for line := range strings.Lines(string(b)) {
						f := strings.Fields(line)
						connections[f[0]] = true
						if f[2] == "r" {
							reused[f[0]] = true
						}
						if want := map[string]string{"2": "HTTP/2.0", "1.1": "HTTP/1.1"}[strategy.Version]; f[1] != want {
							t.Fatalf("%s: nginx speaks %s", name, f[1])
						}
						lines++
					}
					return lines >= len(w.Exchanges)
				})
				if used != len(connections) || lines != len(w.Exchanges) || seen != len(reused) {
					t.Errorf("%s: %d connections, %d resumed, %d exchanges; nginx says %d, %d, %d", name, used, seen, len(w.Exchanges), len(connections), len(reused), lines)
				}
				// Of several at once, those that were dialled before a ticket came cannot.
				if name == "close+resume" && resumed != len(tr.Connections)-1 || resumed > len(tr.Connections)-1 {
					t.Errorf("%s: %d of %d connections resumed", name, resumed, len(tr.Connections))
				}
			}
		})
	}
}

// TestCaddy fetches from Caddy, and counts as its access log does.
func TestCaddy(t *testing.T) {
	caddy := tool(t, "caddy")
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			a := newAuthority(t)
			w := over(t, linger.Gallery(1), scheme)
			s := newSite(t, w, a.issue(nil))
			log := filepath.Join(s.dir, "access.log")
			secure := ""
			if scheme == "https" {
				secure = "tls " + s.cert + " " + s.key
			}
			config := filepath.Join(s.dir, "Caddyfile")
			if err := os.WriteFile(config, fmt.Appendf(nil, `{
	admin off
	auto_https off
	servers {
		protocols h1 h2 h2c
	}
}
%s://%s {
	root * %s
	file_server
	log {
		output file %s
	}
	%s
}
`, scheme, s.address, s.root, log, secure), 0o644); err != nil {
				t.Fatal(err)
			}
			s.start(t, caddy, "run", "--adapter", "caddyfile", "--config", config)
			before := 0
			for _, name := range []string{"close:6", "keep", "keep:6", "pipeline", "h2", "h2:3", "close+resume"} {
				strategy := strategy(t, name)
				if strategy.Fits(scheme) != nil {
					continue
				}
				tr := fetch(t, w, name, Config{Address: s.address, Roots: a.roots(), Verify: true})
				if f := failures(tr); len(f) > 0 {
					t.Fatalf("%s: failed %v", name, f)
				}
				var connections map[string]bool
				lines := 0
				await(t, func() bool {
					connections, lines = map[string]bool{}, 0
					b, _ := os.ReadFile(log)
					in := bufio.NewScanner(bytes.NewReader(b))
					for in.Scan() {
						if lines++; lines <= before {
							continue
						}
						var entry struct {
							Request struct {
								Port  string `json:"remote_port"`
								Proto string
							}
						}
						if err := json.Unmarshal(in.Bytes(), &entry); err != nil {
							return false
						}
						if want := map[string]string{"2": "HTTP/2.0", "1.1": "HTTP/1.1"}[strategy.Version]; entry.Request.Proto != want {
							t.Fatalf("%s: Caddy speaks %q", name, entry.Request.Proto)
						}
						connections[entry.Request.Port] = true
					}
					return lines >= before+len(w.Exchanges)
				})
				used := 0
				for _, c := range tr.Connections {
					if c.Requests > 0 {
						used++
					}
				}
				if used != len(connections) || lines-before != len(w.Exchanges) {
					t.Errorf("%s: %d connections, %d exchanges; Caddy says %d, %d", name, used, len(w.Exchanges), len(connections), lines-before)
				}
				before = lines
			}
		})
	}
}

// await waits until something holds, which it does soon.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	for range 500 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it does not come about")
}
