package crowds

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/internal/testall"
	"linger/policy"
	"linger/rig"
	"linger/rig/far"
	"linger/rig/host"
	"linger/run"
	"linger/trace"
)

// A silent screen shows nothing.
type silent struct{}

func (silent) Tell(run.Progress)   {}
func (silent) Clear()              {}
func (silent) Note(string, ...any) {}

// apache is the configuration of Apache with a way of using processes.
const apache = `ServerRoot DIR
ServerName origin
PidFile DIR/pid
ErrorLog DIR/error.log
DefaultRuntimeDir DIR
Listen 8080
LoadModule mpm_MPM_module /usr/lib/apache2/modules/mod_mpm_MPM.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
USER
DocumentRoot DIR/www
KeepAliveTimeout 3
MaxKeepAliveRequests 0
`

// realServers are servers that others wrote, with what ours has that is to be the same.
var realServers = []struct {
	name, program, from string
	config, command     string
	capacity            policy.Capacity
	policy              policy.ServerPolicy
	starves             bool // with kept connections
	// think is between two pages; 0 is a second.
	think time.Duration
}{
	{name: "Apache prefork", program: "apache2", from: "apache2", command: "-f DIR/conf -DFOREGROUND",
		config:   strings.ReplaceAll(apache, "MPM", "prefork") + "ServerLimit 10\nStartServers 10\nMinSpareServers 10\nMaxRequestWorkers 10\n",
		capacity: policy.Capacity{Workers: 10}, policy: policy.ServerPolicy{IdleTimeout: 3 * time.Second}, starves: true},
	{name: "Apache event", program: "apache2", from: "apache2", command: "-f DIR/conf -DFOREGROUND",
		config:   strings.ReplaceAll(apache, "MPM", "event") + "StartServers 2\nThreadsPerChild 25\nMaxRequestWorkers 100\nServerLimit 4\n",
		capacity: policy.Capacity{MaxConnections: 300}, policy: policy.ServerPolicy{IdleTimeout: 3 * time.Second}},
	{name: "nginx", program: "nginx", from: "nginx-light", command: "-p DIR -c DIR/conf",
		config: `USER
pid DIR/pid;
error_log DIR/error.log;
daemon off;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_timeout 3s;
	client_body_temp_path DIR/tmp; proxy_temp_path DIR/tmp; fastcgi_temp_path DIR/tmp; uwsgi_temp_path DIR/tmp; scgi_temp_path DIR/tmp;
	server { listen 8080; root DIR/www; }
}
`,
		capacity: policy.Capacity{MaxConnections: 1024}, policy: policy.ServerPolicy{IdleTimeout: 3 * time.Second}},
	{name: "gunicorn sync", program: "gunicorn", from: "gunicorn", command: "--chdir DIR -w 4 -b 0.0.0.0:8080 app:app",
		capacity: policy.Capacity{Workers: 4}, policy: policy.ServerPolicy{MaxRequests: 1},
		think: 4 * time.Second}, // ours hold a worker until the client has closed, too: they must not be full
	{name: "gunicorn gthread", program: "gunicorn", from: "gunicorn", command: "--chdir DIR -k gthread -w 1 --threads 4 --keep-alive 3 -b 0.0.0.0:8080 app:app",
		capacity: policy.Capacity{MaxConnections: 1000}, policy: policy.ServerPolicy{IdleTimeout: 3 * time.Second}},
}

// application is a page for gunicorn.
const application = `def app(environ, start):
    page = open('DIR/www/page', 'rb').read()
    start('200 OK', [('Content-Type', 'application/octet-stream'), ('Content-Length', str(len(page)))])
    return [page]
`

// TestRealServers holds servers that others wrote against ours with the same limits, and against
// the model: what pages take is the same, and who waits is. Only the one with a worker for each
// connection has clients starve.
func TestRealServers(t *testing.T) {
	needLab(t)
	testall.Long(t, "two minutes of real time")
	const bytesOfPage = 10_000
	strategies, err := linger.ParseStrategies("close,keep")
	if err != nil {
		t.Fatal(err)
	}
	network, err := linger.ParseNetwork("lte")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range realServers {
		t.Run(p.name, func(t *testing.T) {
			path := testall.Located(p.program)
			if path == "" {
				testall.Lacks(t, "%s is not installed; Debian has it in %s", p.program, p.from)
			}
			dir, user := t.TempDir(), ""
			if os.Geteuid() == 0 { // servers give their rights up, and must read what root has written
				user = map[string]string{"nginx": "user root;", "apache2": "User www-data\nGroup www-data"}[p.program]
			}
			fill := strings.NewReplacer("DIR", dir, "USER", user)
			write := func(name string, content []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(filepath.Join(dir, "www"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, d := range []string{filepath.Dir(dir), dir} {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write("www/page", bytes.Repeat([]byte("x"), bytesOfPage))
			write("conf", []byte(fill.Replace(p.config)))
			write("app.py", []byte(fill.Replace(application)))
			server, err := far.NewOwn(fmt.Sprintf("HOME=%s exec %s %s", dir, path, fill.Replace(p.command)), "http://origin:8080/page", host.Reach{})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			think := cmp.Or(p.think, time.Second)
			plan := Comparison{
				Version: "dev", Network: network, Strategies: strategies, Named: true, Seed: 1, Trials: 1, Patience: time.Minute,
				Policy: p.policy, Capacity: p.capacity, On: rig.Engines{Lab: true},
				Crowd: linger.Crowd{Clients: 50, Visits: 3, Arrivals: 25 / think.Seconds(), Think: linger.Think{Least: think}},
				Workload: linger.Workload{Name: "page", Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{
					{Method: "GET", Path: "/page", Status: 200, ResponseBody: bytesOfPage, Parent: linger.NoParent}}},
			}
			testall.InTime(t, 4*time.Millisecond, func(t *testall.Attempt) {
				compared := func(on rig.Engines, own *far.Own) *crowd.Result {
					plan.On, plan.Own, plan.Workload.Found = on, own, own != nil
					x, err := plan.Run(t.Context(), silent{})
					if err != nil {
						t.Fatal(err)
					}
					for _, records := range x.Runs {
						late := records[0].Lateness.Or(trace.Lateness{})
						t.WasLate(late.P99)
					}
					return crowd.Compare(x)
				}
				real := compared(rig.Engines{Lab: true}, server)
				ours := compared(rig.Engines{Lab: true}, nil)
				model := compared(rig.Engines{Sim: true}, nil)
				for i, row := range real.Rows {
					for _, q := range []struct {
						name              string
						real, ours, model linger.Opt[float64]
					}{
						{"median", row.Pages.Median, ours.Rows[i].Pages.Median, model.Rows[i].Pages.Median},
						{"95 of 100", row.Pages.P95, ours.Rows[i].Pages.P95, model.Rows[i].Pages.P95},
					} {
						r, o, m := q.real.Or(0), q.ours.Or(0), q.model.Or(0)
						t.Logf("%s, %s: %.1f ms, ours %.1f ms, predicted %.1f ms; accept queue %.1f", row.Strategy, q.name, r, o, m, row.Queue.Mean.Or(-1))
						if math.Abs(r-o) > 0.1*o || math.Abs(r-m) > 0.1*m {
							t.Errorf("%s, %s: %.1f ms, ours %.1f ms, predicted %.1f ms", row.Strategy, q.name, r, o, m)
						}
					}
					if row.Pages.Loaded != row.Pages.Wanted {
						t.Errorf("%s: %+v", row.Strategy, row.Pages)
					}
					waits := slices.ContainsFunc(real.Verdict.Findings, func(f finding.Finding) bool {
						return f.Code == crowd.Waiting && f.Subject.Name == row.Strategy
					})
					if starves := p.starves && row.Persistent; waits != starves {
						t.Errorf("%s: it is said that clients wait: %t", row.Strategy, waits)
					}
				}
				if starved := real.Verdict.Cause == crowd.CauseWorkers && real.Verdict.Advice != crowd.Keep; starved != p.starves {
					t.Errorf("the advice is to %s, because of %q", real.Verdict.Advice, real.Verdict.Cause)
				}
			})
		})
	}
}
