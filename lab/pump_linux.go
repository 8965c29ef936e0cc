package lab

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"linger"
	"linger/flow"
	"linger/link"
	"linger/trace"
)

// A port is one host as the pump sees it.
type port struct {
	fd    int // of openTUN; the pump does not close it
	addr  netip.Addr
	side  Side
	delay time.Duration // the host's own, each way, beside the network's
	// capture, if not nil, gets what the host sends and is sent, as pcapng.
	capture *os.File
}

// pumpConfig is what a pump is made of.
type pumpConfig struct {
	network linger.Network
	seed    uint64
	ports   []port
	// capture, if not nil, gets each packet as sent into a link, as pcapng, up to
	// captureLimit bytes (0 is 1 GiB). The file is whole when run has returned.
	capture      *os.File
	captureLimit int64
	forget       time.Duration // of the box between the sides; 0 is none
	// held is how many bytes the pump may hold; 0 is 256 MiB, which is 1 Gbit/s for
	// two seconds. A packet beyond is dropped as if a queue were full.
	held int
}

// A pump carries packets between hosts: from a client through the up link to a
// server, from a server through the down link to a client, and between two hosts
// of one side at once. What is addressed to nobody goes nowhere, and counts
// nowhere. One thread, that of run, owns everything but the last fields.
type pump struct {
	began   time.Time // Instant 0
	hosts   []host
	routes  map[[4]byte]int // addresses to hosts
	links   [2]*link.Link[parcel]
	lines   []line // of the hosts that have a delay of their own
	polled  []unix.PollFd
	buffers *buffers
	spare   buffer // that the next packet is read into
	scratch []byte // for a segment that only the capture wants
	// whole says of the link from each Side that it neither shapes nor loses, so
	// that a super-packet may travel as one.
	whole   [2]bool
	counts  *ledger
	capture *capture
	box     *box // nil is none
	alarm   alarm

	wake     int // eventfd
	stopping atomic.Bool
	asked    chan chan *snapshot
	done     chan struct{} // closed when run has returned
	mu       sync.Mutex    // guards the life of wake
}

// A host is a port, and the indices of its lines, or -1.
type host struct {
	port
	out, in int
	seen    *capture // nil is none
}

// A line is the way between one host and the links: a delay.
type line struct {
	*link.Link[parcel]
	host int
	out  bool
}

// A parcel is a packet on the way: the first size bytes of a buffer.
type parcel struct {
	buffer   buffer
	size     int32
	segments int32
	from, to int32 // hosts
}

// maxHosts bounds the ports of one pump, which looks at each before it sleeps.
const maxHosts = 250

// batch is how many packets are read from one host before the next has its turn.
const batch = 16

func newPump(c pumpConfig) (*pump, error) {
	if err := c.network.Validate(); err != nil {
		return nil, err
	}
	if len(c.ports) > maxHosts {
		return nil, fmt.Errorf("%d hosts on one link; it carries at most %d", len(c.ports), maxHosts)
	}
	p := &pump{
		routes:  make(map[[4]byte]int),
		buffers: newBuffers(cmp.Or(c.held, bufferLimit)),
		scratch: make([]byte, maxPacket),
		whole:   [2]bool{c.network.Up == 0 && c.network.Loss == 0, c.network.Down == 0 && c.network.Loss == 0},
		counts:  newLedger(maxFlows),
		alarm:   newAlarm(),
		asked:   make(chan chan *snapshot, 1),
		done:    make(chan struct{}),
	}
	p.links[Client] = link.New[parcel](link.Up(c.network), rand.NewPCG(c.seed, uint64(Client)))
	p.links[Server] = link.New[parcel](link.Down(c.network), rand.NewPCG(c.seed, uint64(Server)))
	for i, port := range c.ports {
		if !port.addr.Is4() {
			return nil, fmt.Errorf("a host has the address %v; give it one of IPv4", port.addr)
		}
		if port.delay < 0 {
			return nil, fmt.Errorf("host %v has a delay of %v; give it 0 or more", port.addr, port.delay)
		}
		if _, ok := p.routes[port.addr.As4()]; ok {
			return nil, fmt.Errorf("two hosts have the address %v; give each its own", port.addr)
		}
		p.routes[port.addr.As4()] = i
		p.hosts = append(p.hosts, host{port, p.line(i, port.delay, true), p.line(i, port.delay, false), nil})
		p.polled = append(p.polled, unix.PollFd{Fd: int32(port.fd), Events: unix.POLLIN})
	}
	var err error
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	p.polled = append(p.polled, unix.PollFd{Fd: int32(p.wake), Events: unix.POLLIN})
	p.spare, _ = p.buffers.get(maxPacket)
	p.began = time.Now()
	if c.capture != nil {
		p.capture = newCapture(c.capture, c.captureLimit, p.began, linkInterfaces...)
	}
	for i := range p.hosts {
		if h := &p.hosts[i]; h.capture != nil {
			h.seen = newCapture(h.capture, c.captureLimit, p.began, trace.PcapngInterface{Name: deviceName})
		}
	}
	if c.forget > 0 {
		p.box = newBox(c.forget)
	}
	return p, nil
}

// line returns the index of a new line of that host, or -1 if it has no delay.
func (p *pump) line(host int, delay time.Duration, out bool) int {
	if delay == 0 {
		return -1
	}
	p.lines = append(p.lines, line{link.New[parcel](link.Config{Delay: delay}, nil), host, out})
	return len(p.lines) - 1
}

// run moves packets until stop is called, and then ends the capture, whose first
// error it returns. Packets still on the way are dropped.
func (p *pump) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.loop()
	if p.capture != nil {
		err = errors.Join(err, p.capture.close(p.now()))
	}
	for _, h := range p.hosts {
		if h.seen != nil {
			err = errors.Join(err, h.seen.close(p.now()))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	unix.Close(p.wake)
	p.wake = -1
	return err
}

func (p *pump) loop() error {
	// Timers of a thread fire up to its slack late, 50 µs by default (prctl(2)).
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	for !p.stopping.Load() {
		p.advance(p.now())
		if err := p.sleep(); err != nil {
			return err
		}
		for i := range p.hosts {
			if p.polled[i].Revents != 0 {
				p.read(i)
			}
		}
		if p.polled[len(p.hosts)].Revents != 0 {
			p.answer()
		}
	}
	return nil
}

// now returns the time since the pump was made.
func (p *pump) now() linger.Instant { return linger.Instant(time.Since(p.began)) }

// sleep waits until a host has sent something, a packet is due or somebody asks.
func (p *pump) sleep() error {
	var timeout *unix.Timespec
	var planned time.Duration
	now := p.now()
	if next, _ := p.next(); next != linger.Never {
		planned = p.alarm.plan(now, next.Sub(now))
		ts := unix.NsecToTimespec(int64(planned))
		timeout = &ts
	}
	n, err := unix.Ppoll(p.polled, timeout, nil)
	if err == unix.EINTR {
		for i := range p.polled {
			p.polled[i].Revents = 0
		}
		return nil
	}
	if n == 0 && planned > 0 {
		p.alarm.woke(planned, p.now().Sub(now)-planned)
	}
	return os.NewSyscallError("ppoll", err)
}

// next returns when the next packet is due, and where: on a link, by its Side, or
// beyond those on a line.
func (p *pump) next() (at linger.Instant, where int) {
	at, where = p.links[Client].Next(), int(Client)
	if t := p.links[Server].Next(); t < at {
		at, where = t, int(Server)
	}
	for i := range p.lines {
		if t := p.lines[i].Next(); t < at {
			at, where = t, len(p.links)+i
		}
	}
	return at, where
}

// advance moves on what was due by now, in the order in which it was due and
// with that time.
func (p *pump) advance(now linger.Instant) {
	for {
		at, where := p.next()
		if at > now {
			return
		}
		if where < len(p.links) {
			c, _, _ := p.links[where].Receive(at)
			p.arrive(at, c)
			continue
		}
		l := &p.lines[where-len(p.links)]
		c, _, _ := l.Receive(at)
		if l.out {
			p.enter(at, c)
		} else {
			p.write(at, c)
		}
	}
}

// read takes a batch of packets from host i. What has become due is served in
// between, so that a host that sends much delays nobody.
func (p *pump) read(i int) {
	for range batch {
		n, err := rawRead(p.hosts[i].fd, p.buffers.at(p.spare)[:maxPacket])
		switch err {
		case 0:
		case unix.EAGAIN:
			return
		case unix.EINTR:
			continue
		default:
			p.polled[i].Fd = -1 // the device is gone, and the host with it
			return
		}
		now := p.now()
		if seen := p.hosts[i].seen; seen != nil {
			seen.packet(0, now, p.buffers.at(p.spare)[:n], "")
		}
		p.advance(now)
		c := parcel{buffer: p.take(n), size: int32(n), from: int32(i)}
		// A packet that was left in the spare buffer found no room: enter drops it.
		if out := p.hosts[i].out; out >= 0 && c.buffer != p.spare {
			p.lines[out].Send(now, n, c)
		} else {
			p.enter(now, c)
		}
	}
}

// take returns the buffer that holds the n bytes just read: the spare one, for
// which another then stands in, or a smaller one that they are copied to. If
// there is none, it returns the spare one, which stays where it is.
func (p *pump) take(n int) buffer {
	if n > p.buffers.classes[1].size {
		b := p.spare
		if next, ok := p.buffers.get(maxPacket); ok {
			p.spare = next
		}
		return b
	}
	b, ok := p.buffers.get(n)
	if !ok {
		return p.spare
	}
	copy(p.buffers.at(b), p.buffers.at(p.spare)[:n])
	return b
}

// free gives the buffer of a parcel back.
func (p *pump) free(c parcel) {
	if c.buffer != p.spare {
		p.buffers.put(c.buffer)
	}
}

// enter takes a packet at the entry to its link, counts it and sends it in,
// super-packets in segments where the link treats each for itself.
func (p *pump) enter(at linger.Instant, c parcel) {
	pk, ok := parsePacket(p.buffers.at(c.buffer)[:c.size])
	to, known := p.routes[pk.dst]
	if !ok || !known || to == int(c.from) {
		p.free(c)
		return
	}
	c.to, c.size, c.segments = int32(to), int32(len(pk.data)), int32(pk.segments)
	side := p.hosts[c.from].side
	switch full := c.buffer == p.spare; {
	case side == p.hosts[to].side:
		if !full {
			p.arrive(at, c)
		}
	case full:
		f := p.counts.flow(&pk, side, at)
		for i := range pk.segments {
			p.counted(f, side, at, &pk, i, link.Dropped)
		}
	case p.whole[side] || pk.segments == 1:
		f := p.counts.flow(&pk, side, at)
		fate := p.links[side].Send(at, pk.Headers+pk.Payload, c)
		for i := range pk.segments {
			p.counted(f, side, at, &pk, i, fate)
		}
		if fate != link.Carried {
			p.free(c)
		}
	default:
		f := p.counts.flow(&pk, side, at)
		for i := range pk.segments {
			p.counted(f, side, at, &pk, i, p.segment(at, c, &pk, i))
		}
		p.free(c)
	}
}

// segment sends segment i of the super-packet in c into its link as a packet of its own.
func (p *pump) segment(at linger.Instant, c parcel, pk *packet, i int) link.Fate {
	size := pk.Headers + pk.payloadOf(i)
	b, ok := p.buffers.get(vnetSize + size)
	if !ok {
		return link.Dropped
	}
	s := parcel{b, int32(vnetSize + size), 1, c.from, c.to}
	fate := p.links[p.hosts[c.from].side].Send(at, size, s)
	if fate == link.Carried {
		pk.cut(p.buffers.at(b), i)
	} else {
		p.buffers.put(b)
	}
	return fate
}

// counted enters segment i of pk into the ledger and the capture.
func (p *pump) counted(f *flow.Flow, side Side, at linger.Instant, pk *packet, i int, fate link.Fate) {
	p.counts.sent(f, side, at, pk, i, fate)
	if p.capture == nil {
		return
	}
	data := pk.data
	if pk.segments > 1 {
		data = p.scratch[:pk.cut(p.scratch, i)]
	}
	p.capture.packet(int(side), at, data, fates[fate])
}

// arrive takes a packet that has come to the side of its receiver.
func (p *pump) arrive(at linger.Instant, c parcel) {
	if p.box != nil && p.hosts[c.from].side != p.hosts[c.to].side {
		if pk, ok := parsePacket(p.buffers.at(c.buffer)[:c.size]); ok && !p.box.pass(at, &pk) {
			p.free(c)
			return
		}
	}
	if in := p.hosts[c.to].in; in >= 0 {
		p.lines[in].Send(at, int(c.size), c)
		return
	}
	p.write(at, c)
}

// write hands a packet that was due at that time to its receiver. A device that
// does not take it, being down, loses it, as a host would that is switched off.
func (p *pump) write(due linger.Instant, c parcel) {
	p.counts.late(p.now().Sub(due), int(c.segments))
	b := p.buffers.at(c.buffer)
	if seen := p.hosts[c.to].seen; seen != nil {
		seen.packet(0, p.now(), b[:c.size], "")
	}
	rawWrite(p.hosts[c.to].fd, b[:c.size])
	p.free(c)
}

// stop makes run return.
func (p *pump) stop() {
	p.stopping.Store(true)
	p.ring()
}

// ring wakes the pump's thread, if there is one still.
func (p *pump) ring() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake >= 0 {
		unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// ledger returns what has been sent into the links. Any goroutine may ask, before
// run has begun (then it waits for it), while it runs, and after it has returned.
func (p *pump) ledger() trace.Ledger {
	reply := make(chan *snapshot, 1)
	select {
	case p.asked <- reply:
		p.ring()
	case <-p.done:
	}
	var s *snapshot
	select {
	case s = <-reply:
	case <-p.done:
		s = p.snapshot()
	}
	return s.render(p.began)
}

// answer serves those who ask for the ledger.
func (p *pump) answer() {
	unix.Read(p.wake, make([]byte, 8))
	for {
		select {
		case reply := <-p.asked:
			reply <- p.snapshot()
		default:
			return
		}
	}
}

// snapshot copies the counts, with the peaks of the queues.
func (p *pump) snapshot() *snapshot {
	s := p.counts.snapshot()
	for side := range p.links {
		s.pipes[side].QueuePeak = int64(p.links[side].Peak())
	}
	return s
}

// rawRead and rawWrite are read(2) and write(2) on a descriptor that does not
// block, without the word with Go's scheduler that costs more than it is worth here.
func rawRead(fd int, b []byte) (int, unix.Errno) {
	n, _, err := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), err
}

func rawWrite(fd int, b []byte) {
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
}
