package whatif

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"linger/internal/testcert"
	"linger/lab"
)

func pair() (certificate, key []byte) {
	return testcert.PEM(testcert.SelfSigned(x509.Certificate{DNSNames: []string{"server"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}))
}

func (w world) port() int {
	if w.TLS {
		return 443
	}
	return 80
}

func (w world) url() string {
	if w.TLS {
		return "https://server"
	}
	return "http://server"
}

// client is the command of the client.
func (w world) client(dir string) (lab.Command, error) {
	if w.Client == goClient {
		return w.self("client", "client", dir)
	}
	script := strings.NewReplacer("MAX_FREE", strconv.Itoa(cmp.Or(w.Kept, 1000)), "MAX", strconv.Itoa(cmp.Or(w.Most, 1000)), "KEEP", strconv.FormatBool(!w.Close), "IDLE", strconv.Itoa(int(w.Idle/ms)),
		"ORDER", map[bool]string{true: "fifo", false: "lifo"}[w.FIFO], "MODULE", strings.TrimSuffix(w.url(), "://server"), "URL", w.url()).Replace(nodeScript)
	if err := os.WriteFile(filepath.Join(dir, "client.js"), []byte(script), 0o644); err != nil {
		return lab.Command{}, err
	}
	args := []string{"client.js"}
	if w.TLS {
		args = append([]string{"--tls-keylog=keys"}, args...)
	}
	return program("client", "node", dir, args...)
}

// nodeScript is the client of Node. Its agent closes a free socket when it has been silent for the
// agent's timeout.
const nodeScript = `
const http = require('MODULE'), fs = require('fs');
const options = {keepAlive: KEEP, scheduling: 'ORDER', maxFreeSockets: MAX_FREE, maxSockets: MAX, rejectUnauthorized: false};
if (IDLE > 0) options.timeout = IDLE;
const agent = new http.Agent(options);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const get = (takes) => new Promise((done, fail) => {
  http.get('URL/?takes=' + takes, {agent}, (r) => { r.resume(); r.on('end', done); r.on('error', fail); }).on('error', fail);
});
const again = async (takes) => {
  for (let n = 0; n < 9; n++) { // the server may close just then
    try { return await get(takes); } catch (e) {}
  }
  throw new Error('nine requests failed');
};
(async () => {
  for (const b of JSON.parse(fs.readFileSync('plan.json'))) {
    await wait(b.Pause);
    await Promise.all(b.Takes.map(again));
  }
})().then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
`

// askWithGo is the client of Go.
func askWithGo(w world) error {
	b, err := os.ReadFile("plan.json")
	if err != nil {
		return err
	}
	var plan []burst
	if err := json.Unmarshal(b, &plan); err != nil {
		return err
	}
	transport := &http.Transport{
		IdleConnTimeout: w.Idle, MaxIdleConnsPerHost: cmp.Or(w.Kept, 1000), MaxConnsPerHost: w.Most, DisableKeepAlives: w.Close,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: w.H2,
	}
	if w.TLS {
		keys, err := os.Create("keys")
		if err != nil {
			return err
		}
		defer keys.Close()
		transport.TLSClientConfig.KeyLogWriter = keys
	}
	if w.Tickets {
		transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	if !w.H2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	client := &http.Client{Transport: transport}
	for _, b := range plan {
		time.Sleep(time.Duration(b.Pause) * ms)
		errs := make(chan error, len(b.Takes))
		for _, takes := range b.Takes {
			go func() { errs <- fetch(client, fmt.Sprintf("%s/?takes=%d", w.url(), takes)) }()
			time.Sleep(2 * ms) // so that they come in their order
		}
		for range b.Takes {
			if err := <-errs; err != nil {
				return err
			}
		}
	}
	return nil
}

func fetch(client *http.Client, url string) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// server is the command of the server.
func (w world) server(dir string) (lab.Command, error) {
	if w.Server == goServer {
		return w.self("server", "server", dir)
	}
	secure := ""
	if w.TLS {
		secure = " ssl"
	}
	config := fmt.Sprintf(`daemon off; pid DIR/pid; error_log DIR/error.log; worker_processes 1; user root;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
keepalive_timeout %dms; keepalive_requests %d;
server { listen %d%s; ssl_certificate DIR/cert.pem; ssl_certificate_key DIR/key.pem; location / { return 200 "hello"; } } }
`, cmp.Or(w.ServerIdle, time.Hour)/ms, cmp.Or(w.Requests, 1_000_000), w.port(), secure)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(strings.ReplaceAll(config, "DIR", dir)), 0o644); err != nil {
		return lab.Command{}, err
	}
	return program("server", "nginx", dir, "-c", filepath.Join(dir, "nginx.conf"))
}

// serveWithGo is the server of Go.
func serveWithGo(w world) error {
	s := &http.Server{IdleTimeout: w.ServerIdle, Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		takes, _ := strconv.Atoi(r.FormValue("takes"))
		time.Sleep(time.Duration(takes) * ms)
		io.WriteString(out, strings.Repeat("hello ", 100))
	})}
	l, err := net.Listen("tcp4", ":"+strconv.Itoa(w.port()))
	if err != nil {
		return err
	}
	if w.TLS {
		return s.ServeTLS(l, "cert.pem", "key.pem")
	}
	return s.Serve(l)
}
