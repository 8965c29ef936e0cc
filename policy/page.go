package policy

import (
	"cmp"
	"slices"
	"time"

	"linger"
)

type exchangeState uint8

const (
	unseen exchangeState = iota
	thinking
	wanted
	delivered
	failed
)

// An exchange is what a Page knows of one.
type exchange struct {
	state    exchangeState
	wanted   linger.Opt[linger.Instant]
	children []int // in the order in which the body names them
	named    int   // how many of the children are known
	received int64 // bytes of the body
}

// A Page is the state machine of what one client wants, and when: an exchange once
// the part of its parent that names it has arrived, its think time is over and the
// pace lets it go. What only a failed exchange would have named fails with it. Which
// connection carries an exchange is no concern of it.
//
// Call HandleStart once, then Poll until it has no more news, and again after every
// other Handle call; wake it with HandleTimeout at NextTimeout. The exchanges are the
// indices of the workload. Not safe for concurrent use.
type Page struct {
	workload  linger.Workload
	pace      time.Duration
	exchanges []exchange
	think     []wish         // sorted by time
	paced     linger.Instant // before which no further exchange is wanted
	planned   int            // exchanges that the workload names
	settled   int            // delivered or failed
	news      queue[PageNews]
}

// PageNews is what has become of an exchange without anybody's doing.
type PageNews struct {
	Exchange int
	// Failed is why nothing is ever done for it; empty where it is wanted now.
	Failed string
}

// A wish is an exchange that will be wanted; granted, the pace has let it go.
type wish struct {
	at       linger.Instant
	exchange int
	granted  bool
}

// NewPage returns the machine for a valid workload. pace is the least time between
// two exchanges that begin to be wanted; zero is as they come.
func NewPage(w linger.Workload, pace time.Duration) *Page {
	w.Exchanges = slices.Clip(w.Exchanges) // what is added goes into a copy
	p := &Page{workload: w, pace: pace, exchanges: make([]exchange, len(w.Exchanges)), planned: len(w.Exchanges)}
	for i, e := range w.Exchanges {
		if e.Parent != linger.NoParent {
			p.exchanges[e.Parent].children = append(p.exchanges[e.Parent].children, i)
		}
	}
	for i := range p.exchanges {
		slices.SortStableFunc(p.exchanges[i].children, func(a, b int) int {
			return cmp.Compare(w.Exchanges[a].At, w.Exchanges[b].At)
		})
	}
	return p
}

// HandleStart makes the exchanges that have no parent known.
func (p *Page) HandleStart(now linger.Instant) {
	for i, e := range p.workload.Exchanges {
		if e.Parent == linger.NoParent {
			p.discover(now, i)
		}
	}
}

// reset makes a page that is loaded one of which nothing is known yet. The pace goes on.
func (p *Page) reset() {
	p.workload.Exchanges = p.workload.Exchanges[:p.planned]
	p.exchanges = p.exchanges[:p.planned]
	for i := range p.exchanges {
		p.exchanges[i] = exchange{children: p.exchanges[i].children}
	}
	p.settled = 0
}

// Add makes an exchange known that the workload did not name, and returns its
// index. A page's objects are added while the page arrives.
func (p *Page) Add(now linger.Instant, e linger.Exchange) int {
	i := len(p.exchanges)
	p.workload.Exchanges = append(p.workload.Exchanges, e)
	p.exchanges = append(p.exchanges, exchange{})
	p.discover(now, i)
	return i
}

// HandleBody says that the first received bytes of e's body have arrived, 0 for the
// head alone.
func (p *Page) HandleBody(now linger.Instant, e int, received int64) {
	if !p.workload.Exchanges[e].IsQuery() { // an answer says nothing before it is whole
		p.name(now, e, received)
	}
}

// HandleResponse says that the response to e is complete.
func (p *Page) HandleResponse(now linger.Instant, e int) {
	p.exchanges[e].state = delivered
	p.settled++
	p.name(now, e, p.workload.Exchanges[e].ResponseBody)
}

// HandleFailed says that e has failed. What is not known yet and only e would have
// named fails too, which is news; that e has failed is none.
func (p *Page) HandleFailed(e int) {
	x := &p.exchanges[e]
	x.state = failed
	p.settled++
	for _, child := range x.children[x.named:] {
		why := "not known: the exchange that names it failed"
		if p.workload.Exchanges[child].IsQuery() {
			why = "not asked: the name that leads to it was not found"
		}
		p.news.push(PageNews{child, why})
		p.HandleFailed(child)
	}
	x.named = len(x.children)
}

// HandleTimeout does what is due at now.
func (p *Page) HandleTimeout(now linger.Instant) {
	for len(p.think) > 0 && p.think[0].at <= now {
		w := p.think[0]
		p.think = p.think[1:]
		p.want(w)
	}
}

// NextTimeout returns when HandleTimeout has something to do, or Never.
func (p *Page) NextTimeout() linger.Instant {
	if len(p.think) == 0 {
		return linger.Never
	}
	return p.think[0].at
}

// Poll returns what is new, in the order in which it came about, and false when
// nothing is.
func (p *Page) Poll() (PageNews, bool) { return p.news.pop() }

// Loaded reports whether every exchange is delivered or has failed.
func (p *Page) Loaded() bool { return p.settled == len(p.exchanges) }

// Wanted returns since when the client has wanted an exchange, its think time
// over; unknown where it never did.
func (p *Page) Wanted(e int) linger.Opt[linger.Instant] { return p.exchanges[e].wanted }

// name makes the children known that the first received bytes of e's body name.
func (p *Page) name(now linger.Instant, e int, received int64) {
	x := &p.exchanges[e]
	for x.named < len(x.children) {
		child := x.children[x.named]
		if at := p.workload.Exchanges[child].At; at > received {
			return
		}
		x.named++
		p.discover(now, child)
	}
}

// discover makes one exchange known: it is wanted after its think time.
func (p *Page) discover(now linger.Instant, e int) {
	w := wish{at: now.Add(p.workload.Exchanges[e].Think), exchange: e}
	if w.at > now {
		p.wait(w)
		return
	}
	p.want(w)
}

// wait keeps a wish until its time has come.
func (p *Page) wait(w wish) {
	p.exchanges[w.exchange].state = thinking
	i, _ := slices.BinarySearchFunc(p.think, w, func(a, b wish) int {
		if a.at <= b.at { // behind its equals: first known, first wanted
			return -1
		}
		return 1
	})
	p.think = slices.Insert(p.think, i, w)
}

// want makes an exchange wanted, or has it wait until the pace allows one more.
func (p *Page) want(w wish) {
	if p.pace > 0 && !w.granted {
		w.granted = true
		at := max(w.at, p.paced)
		p.paced = at.Add(p.pace)
		if at > w.at {
			w.at = at
			p.wait(w)
			return
		}
	}
	x := &p.exchanges[w.exchange]
	x.state = wanted
	x.wanted = linger.Known(w.at)
	p.news.push(PageNews{Exchange: w.exchange})
}
