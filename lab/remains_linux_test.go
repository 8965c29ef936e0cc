package lab

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"linger/internal/testall"
	"linger/lab/pump"
)

const markVar = "LINGER_TEST_MARK"

func init() {
	roles["victim"] = victim
	roles["nap"] = func([]string) int { time.Sleep(time.Hour); return 0 }
}

// victim opens a lab, starts programs that have children and background jobs of
// their own, and ends when any of it does.
func victim([]string) int {
	c := two()
	c.Own, c.Hosts[0].Addresses = true, 100
	l, err := Open(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return 3
	}
	defer l.Close()
	ended := make(chan struct{}, 3)
	for _, c := range []Command{
		role("origin", "serve", "1000"),
		role("client", "nap"),
		shell("client", "(setsid sleep 1000 &); trap '' HUP TERM; sleep 1000; :"),
	} {
		p, err := l.Start(c)
		if err != nil {
			return 1
		}
		go func() {
			p.Wait()
			ended <- struct{}{}
		}()
	}
	<-ended
	return 0
}

// marked returns the processes whose environment has the mark.
func marked(t *testing.T, mark string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(b, []byte(markVar+"="+mark+"\x00")) {
			continue // somebody else's, or gone
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// namespacesOf returns the namespaces that a process's threads are in, as their
// links read: "net:[4026531840]".
func namespacesOf(pid int) map[string]bool {
	out := map[string]bool{}
	for _, kind := range []string{"user", "mnt", "pid", "net"} {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/ns/%s", pid, kind))
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil {
				out[to] = true
			}
		}
	}
	return out
}

// inhabitantsOf returns every process that is in a namespace of one of pids, save
// those in own, with its birth: numbers of processes and namespaces are used again.
func inhabitantsOf(pids []int, own map[string]bool) map[int]string {
	spaces := map[string]bool{}
	for _, pid := range pids {
		for s := range namespacesOf(pid) {
			if !own[s] {
				spaces[s] = true
			}
		}
	}
	out := map[int]string{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		for s := range namespacesOf(pid) {
			if spaces[s] {
				out[pid] = birthOf(pid)
			}
		}
	}
	return out
}

// birthOf returns when a process began, in ticks since boot, or nothing if there
// is none of that number (proc_pid_stat(5), field 22).
func birthOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	if fields := strings.Fields(rest); ok && len(fields) > 19 && fields[0] != "Z" {
		return fields[19]
	}
	return ""
}

// TestNothingIsLeftBehind kills any one process of a lab at a random moment, the
// one that opened it included.
func TestNothingIsLeftBehind(t *testing.T) {
	openLab(t, two())
	rounds := 20
	if testall.Asked() && !testing.Short() {
		rounds = 200
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	mountsBefore, hostsBefore := ownMounts(t), readFile(t, "/etc/hosts")
	own := namespacesOf(os.Getpid())
	tmp := t.TempDir()
	killed := map[string]int{}
	for round := range rounds {
		mark := fmt.Sprintf("%d.%d", os.Getpid(), round)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), roleVar+"=victim", markVar+"="+mark, "TMPDIR="+tmp)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(80 * time.Millisecond))))
		pids := marked(t, mark)
		inhabitants := inhabitantsOf(pids, own)
		if len(pids) == 0 {
			pids = []int{cmd.Process.Pid} // not executed yet
		}
		pid := pids[random.IntN(len(pids))]
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		// The processes are this test's own: they carry its mark.
		unix.Kill(pid, unix.SIGKILL)
		who := "a command"
		switch {
		case pid == cmd.Process.Pid:
			who = "the opener"
		case strings.HasPrefix(string(name), insideName):
			who = "the first inside"
		}
		killed[who]++

		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		left := func() string {
			select {
			case <-ended:
			default:
				// A child that was not the last of its command ends nothing.
				if who == "a command" {
					cmd.Process.Kill()
				}
				return "the process that opened the lab still runs"
			}
			if pids := marked(t, mark); len(pids) > 0 {
				return fmt.Sprintf("processes %v are left", pids)
			}
			for pid, birth := range inhabitants {
				if birth != "" && birthOf(pid) == birth {
					return fmt.Sprintf("process %d is left in a namespace of the lab", pid)
				}
			}
			return ""
		}
		deadline := time.Now().Add(patience)
		what := left()
		for what != "" && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
			what = left()
		}
		if what != "" {
			t.Fatalf("round %d, %s (process %d) killed: %s", round, who, pid, what)
		}
	}
	t.Logf("killed: %v", killed)
	if got := ownMounts(t); !slices.Equal(got, mountsBefore) {
		t.Errorf("mounts: %v, before %v", got, mountsBefore)
	}
	if got := readFile(t, "/etc/hosts"); got != hostsBefore {
		t.Errorf("/etc/hosts is now %q", got)
	}
	if _, err := os.Stat("/sys/class/net/" + pump.DeviceName); err == nil {
		t.Errorf("%s exists outside the lab", pump.DeviceName)
	}
	if entries, err := os.ReadDir(tmp); err != nil || len(entries) > 0 {
		t.Errorf("temporary files %v, %v", entries, err)
	}
}

// ownMounts are the mount points of this process.
func ownMounts(t *testing.T) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(readFile(t, "/proc/self/mountinfo")) {
		out = append(out, strings.Fields(line)[4])
	}
	return out
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
