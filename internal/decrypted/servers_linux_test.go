package decrypted

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/quic-go/quic-go/http3"

	"linger/internal/testall"
)

// A serve starts a server on the stage, which ends with the test.
type serve func(*stage)

// program starts one of others', with its configuration.
func (s *stage) program(name, conf string, args ...string) {
	s.Helper()
	path := testall.Located(name)
	if path == "" {
		testall.Lacks(s, "%s is not installed", name)
	}
	s.write("conf", conf)
	for i := range args {
		args[i] = s.place(args[i])
	}
	testall.Start(s, s.up, append(os.Environ(), "HOME="+s.dir), path, args...)
}

func (s *stage) serveWith(edit func(*tls.Config)) {
	s.Helper()
	server := &http.Server{Handler: s.handler(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{s.server}}}
	edit(server.TLSConfig)
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.Fatal(err)
	}
	go server.ServeTLS(l, "", "")
	s.Cleanup(func() { server.Close() })
}

// servers by their names. Those of Go count what they answer.
var servers = map[string]serve{
	"Go": func(s *stage) { s.serveWith(func(*tls.Config) {}) },
	// The server writes the keys: its clients need not.
	"Go with a key log": func(s *stage) {
		w := s.logKeys()
		s.serveWith(func(c *tls.Config) { c.KeyLogWriter = w })
	},
	"Go HTTP/3": func(s *stage) {
		server := &http3.Server{Handler: s.handler(), TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{s.server}})}
		socket, err := net.ListenPacket("udp", s.address)
		if err != nil {
			s.Fatal(err)
		}
		s.serveWith(func(*tls.Config) {}) // for whoever begins with TCP
		go server.Serve(socket)
		s.Cleanup(func() { server.Close(); socket.Close() })
	},
	"nginx": func(s *stage) {
		s.program("nginx", `pid DIR/pid; daemon off; user root; worker_processes 1; error_log DIR/error.log; events {}
http { access_log DIR/access.log; root DIR/site; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
default_type text/html; client_max_body_size 10m; ssl_early_data on; ssl_session_cache shared:a:1m;
server { listen ADDRESS ssl http2; ssl_certificate DIR/certificate; ssl_certificate_key DIR/key; ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;
location /up { return 200 "taken"; } } }`, "-e", "DIR/error.log", "-c", "DIR/conf")
	},
	"Caddy": func(s *stage) {
		s.program("caddy", `{
	admin off
	auto_https disable_redirects
	storage file_system DIR/caddy
}
https://127.0.0.1:PORT, https://localhost:PORT {
	bind 127.0.0.1
	tls DIR/certificate DIR/key
	root * DIR/site
	respond /up "taken" 200
	file_server
}
`, "run", "--adapter", "caddyfile", "--config", "DIR/conf")
	},
	"HAProxy": func(s *stage) {
		backend := &http.Server{Handler: s.handler()}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.Fatal(err)
		}
		go backend.Serve(l)
		s.Cleanup(func() { backend.Close() })
		s.program("haproxy", `global
	maxconn 1000
defaults
	mode http
	timeout client 30s
	timeout server 30s
	timeout connect 5s
frontend f
	bind ADDRESS ssl crt DIR/both alpn h2,http/1.1
	default_backend b
backend b
	server s `+l.Addr().String()+"\n", "-f", "DIR/conf", "-db")
	},
	"Apache": func(s *stage) {
		s.program("apache2", `ServerRoot /usr/lib/apache2
PidFile DIR/pid
Listen ADDRESS
ServerName localhost
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule mime_module modules/mod_mime.so
LoadModule ssl_module modules/mod_ssl.so
LoadModule http2_module modules/mod_http2.so
LoadModule alias_module modules/mod_alias.so
TypesConfig /etc/mime.types
DefaultRuntimeDir DIR
ErrorLog DIR/error.log
Protocols h2 http/1.1
DocumentRoot DIR/site
SSLEngine on
SSLCertificateFile DIR/certificate
SSLCertificateKeyFile DIR/key
SSLSessionCache none
<Directory DIR/site>
Require all granted
</Directory>
`, "-X", "-f", "DIR/conf")
	},
	"Node": func(s *stage) {
		s.write("server.js", `const http2=require('http2'),fs=require('fs');
http2.createSecureServer({key:fs.readFileSync('DIR/key'),cert:fs.readFileSync('DIR/certificate'),allowHTTP1:true},(q,r)=>{
 q.on('data',()=>{});q.on('end',()=>{const name=q.url.split('?')[0];
  if(name=='/up'){r.end('taken');return}
  fs.readFile('DIR/site'+name,(e,b)=>{if(e){r.statusCode=404;r.end('none')}else{if(name=='/page')r.setHeader('content-type','text/html');r.end(b)}})})
}).listen(PORT,'127.0.0.1')`)
		s.program("node", "", "DIR/server.js")
	},
	"linger serve": func(s *stage) {
		binary, err := lingerBinary()
		if err != nil {
			s.Fatal(err)
		}
		s.bytes = true
		s.program(binary, "", "serve", "-q", "--https", s.address, "--h3", s.address, "--cert", "DIR/certificate", "--key", "DIR/key")
	},
}

// lingerBinary builds the program, once.
var lingerBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "linger-test")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "linger")
	if b, err := exec.Command("go", "build", "-o", out, "linger/cmd/linger").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, b)
	}
	return out, nil
})
