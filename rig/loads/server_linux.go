package loads

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Server is the processes of a server on this machine.
type Server struct {
	Name string // of its first process
	pids []int
}

// Process is a process of that number, and all that come from it.
func Process(pid int) (*Server, error) {
	if _, ok := statOf(pid); !ok {
		return nil, fmt.Errorf("there is no process %d", pid)
	}
	s := &Server{pids: []int{pid}}
	all := processes()
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if stat, ok := statOf(p); ok && slices.Contains(s.pids, stat.parent) && !slices.Contains(s.pids, p) {
				s.pids, grown = append(s.pids, p), true
			}
		}
	}
	s.name()
	return s, nil
}

var errNobody = errors.New("no process of this user listens there")

// Listening is the processes that listen on an address of this machine: all that hold a socket which
// does, workers that share it included. Of processes of other users it is not known what they hold.
func Listening(at netip.AddrPort) (*Server, error) {
	inodes := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // there may be no IPv6
		}
		for _, line := range strings.Split(string(b), "\n") {
			// sl local rem st tx:rx tr:when retrnsmt uid timeout inode (proc_pid_net(5))
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", at.Port())) {
				inodes["socket:["+f[9]+"]"] = true
			}
		}
	}
	s := &Server{}
	self := os.Getpid()
	for _, pid := range processes() {
		if pid == self {
			continue
		}
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		files, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, f := range files {
			if to, err := os.Readlink(filepath.Join(dir, f.Name())); err == nil && inodes[to] {
				s.pids = append(s.pids, pid)
				break
			}
		}
	}
	if len(s.pids) == 0 {
		return nil, errNobody
	}
	s.name()
	return s, nil
}

func (s *Server) name() {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.pids[0]))
	if err == nil {
		s.Name = strings.TrimSpace(string(b))
	}
}

// Processes is how many there are.
func (s *Server) Processes() int { return len(s.pids) }

// processes are the numbers of all that /proc shows.
func processes() (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on all that Go runs on.
const clockTick = time.Second / 100

type stat struct {
	parent int
	cpu    time.Duration // its own, user and system
}

// statOf reads the 4th, 14th and 15th fields (proc_pid_stat(5)).
func statOf(pid int) (s stat, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, false
	}
	// The second, the program's name in parentheses, may hold anything.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return s, false
	}
	s.parent, _ = strconv.Atoi(string(f[1]))
	for _, i := range []int{11, 12} {
		n, _ := strconv.ParseInt(string(f[i]), 10, 64)
		s.cpu += time.Duration(n) * clockTick
	}
	return s, true
}

// cpu is what the processes have spent since they began. It is in steps of 10 ms of each.
func (s *Server) cpu() (sum spent) {
	for _, pid := range s.pids {
		if one, ok := statOf(pid); ok {
			sum.cpu += one.cpu
			sum.processes++
		}
	}
	return sum
}

// resident is the sum of their resident sets; pages that they share count in each.
func (s *Server) resident() (sum int64) {
	for _, pid := range s.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if f := bytes.Fields(b); err == nil && len(f) > 1 {
			n, _ := strconv.ParseInt(string(f[1]), 10, 64)
			sum += n * int64(os.Getpagesize())
		}
	}
	return sum
}
