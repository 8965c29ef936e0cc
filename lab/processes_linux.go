package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// namespaceOf is the network namespace of a process, or of the calling thread, as /proc names
// it; empty if that process is gone.
func namespaceOf(process string) string {
	name, err := os.Readlink("/proc/" + process + "/ns/net")
	if err != nil {
		return ""
	}
	return name
}

// ownProc reports whether /proc shows the lab's processes, by their numbers in the lab.
func ownProc() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// A roll is who runs on the hosts of a lab: every process is of the host whose network
// namespace it is in, whoever started it, and whatever it has made of its parent, its session
// and its group since.
type roll struct {
	hosts map[string]int        // by their namespaces
	pids  map[int]int           // which host the processes are on that were seen last
	ended map[int]time.Duration // CPU time of those that this process has reaped, by host
}

func newRoll(hosts []*netns) *roll {
	r := &roll{hosts: map[string]int{}, pids: map[int]int{}, ended: map[int]time.Duration{}}
	for i, h := range hosts {
		if h.counted {
			r.hosts[h.namespace] = i
		}
	}
	return r
}

// look reads the list of processes anew.
func (r *roll) look() error {
	if len(r.hosts) == 0 {
		return nil
	}
	all, err := processesOf(r.hosts)
	if err != nil {
		return err
	}
	for pid, host := range r.pids {
		// One that has ended is in no namespace any more, and what it used is nobody else's
		// until it has been waited for.
		if _, listed := all[pid]; !listed && namespaceOf(strconv.Itoa(pid)) == "" && unix.Kill(pid, 0) == nil {
			all[pid] = host
		}
	}
	r.pids = all
	return nil
}

// processesOf lists the processes in those namespaces, with what they are given there. One
// that has ended and that nobody has waited for is in none any more.
func processesOf(namespaces map[string]int) (map[int]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	out := map[int]int{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if i, ok := namespaces[namespaceOf(name)]; ok {
			out[pid] = i
		}
	}
	return out, nil
}

// reaped notes what a process had used that has ended.
func (r *roll) reaped(pid int, cpu time.Duration) {
	if host, ok := r.pids[pid]; ok {
		r.ended[host] += cpu
		delete(r.pids, pid)
	}
}

// resident is the memory of a host's processes that is in RAM, in bytes, the sum over all of
// them: pages that several share are counted in each (proc_pid_statm(5)).
func (r *roll) resident(host int) int64 {
	var sum int64
	for pid, h := range r.pids {
		if h != host {
			continue
		}
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if fields := bytes.Fields(b); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += pages * int64(os.Getpagesize())
		}
	}
	return sum
}

// cpu is the time that a host's processes have used: those that run or that nobody has waited
// for, those that they have waited for themselves, and those whose parents had gone.
func (r *roll) cpu(host int) time.Duration {
	sum := r.ended[host]
	for pid, h := range r.pids {
		if h == host {
			sum += processCPU(pid) + childrenCPU(pid)
		}
	}
	return sum
}

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on all that Go runs on.
const clockTick = time.Second / 100

// childrenCPU is the time of the children that a process has waited for: cutime and cstime, the
// 16th and 17th fields (proc_pid_stat(5)).
func childrenCPU(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The second, the program's name in parentheses, may hold anything.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	var sum int64
	for _, i := range []int{16, 17} {
		if i -= 3; i < len(fields) {
			n, _ := strconv.ParseInt(string(fields[i]), 10, 64)
			sum += n
		}
	}
	return time.Duration(sum) * clockTick
}

// signalAll sends a signal to each process of a host, 0 to none, and returns how many there were.
func (h *netns) signalAll(signal unix.Signal) (int, error) {
	all, err := processesOf(map[string]int{h.namespace: 0})
	for pid := range all {
		if signal == 0 {
			break
		}
		if gone := unix.Kill(pid, signal); gone != nil && !errors.Is(gone, fs.ErrNotExist) && gone != unix.ESRCH {
			err = errors.Join(err, os.NewSyscallError("kill", gone))
		}
	}
	return len(all), err
}
