// One member of a consumer group, by franz-go; what it takes and prints: test/clients/README.md
//
//	member server=HOST:PORT group=G topic=T [assignor=range] [instance=I] [session=MS] [heartbeat=MS] [pace=MS]
//	       [to=TOPIC [commit=before]]
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const batch = 10

var arg = map[string]string{"pace": "20"}

type member struct {
	client *kgo.Client
	owned  map[int32]bool
	next   map[int32]int64 // to be committed, of owned partitions
}

func now() int64 { return time.Now().UnixMicro() }

func say(words ...any) { fmt.Println(words...) }

func fatal(why any) {
	say("fatal", now(), why)
	os.Exit(3) // no farewell to the group
}

func millis(key string) time.Duration {
	n, err := strconv.Atoi(arg[key])
	if err != nil {
		fatal(key + ": " + err.Error())
	}
	return time.Duration(n) * time.Millisecond
}

func (m *member) printOwned() {
	var all []int
	for p := range m.owned {
		all = append(all, int(p))
	}
	sort.Ints(all)
	words := []any{"owns", now()}
	for _, p := range all {
		words = append(words, p)
	}
	say(words...)
}

func (m *member) assigned(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	for _, p := range parts[arg["topic"]] {
		m.owned[p] = true
	}
	m.printOwned()
}

func (m *member) lost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	for _, p := range parts[arg["topic"]] {
		delete(m.owned, p)
		delete(m.next, p)
	}
	m.printOwned()
}

func (m *member) revoked(ctx context.Context, client *kgo.Client, parts map[string][]int32) {
	m.commit(ctx)
	m.lost(ctx, client, parts)
}

// True: all that was to be committed was accepted.
func (m *member) commit(ctx context.Context) bool {
	if len(m.next) == 0 {
		return true
	}
	offsets := map[int32]kgo.EpochOffset{}
	text := ""
	for p, o := range m.next {
		offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: o}
		text += fmt.Sprintf(" %d:%d", p, o)
	}
	var why error
	start := now()
	m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{arg["topic"]: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			if why = err; err != nil {
				return
			}
			for _, t := range answer.Topics {
				for _, p := range t.Partitions {
					if e := kerr.ErrorForCode(p.ErrorCode); e != nil {
						why = e
					}
				}
			}
		})
	if why != nil {
		say("refused", start, now(), strings.ReplaceAll(strings.Split(why.Error(), ":")[0], " ", "_")+text)
		if errors.Is(why, kerr.FencedInstanceID) {
			fatal(why)
		}
		return false
	}
	say(fmt.Sprint("commit ", start, " ", now(), text))
	m.next = map[int32]int64{}
	return true
}

func (m *member) copy(ctx context.Context, records []*kgo.Record) {
	if arg["to"] == "" || len(records) == 0 {
		return
	}
	var out []*kgo.Record
	for _, r := range records {
		out = append(out, &kgo.Record{Topic: arg["to"], Partition: r.Partition, Key: r.Key, Value: r.Value})
	}
	if err := m.client.ProduceSync(ctx, out...).FirstErr(); err != nil {
		fatal(err)
	}
}

func (m *member) round(ctx context.Context) {
	end := time.Now().Add(millis("pace"))
	wait, cancel := context.WithDeadline(ctx, end)
	fetches := m.client.PollRecords(wait, batch)
	cancel()
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, kerr.FencedInstanceID) {
			fatal(e.Err)
		} else if !errors.Is(e.Err, context.DeadlineExceeded) {
			say("error", now(), e.Err)
		}
	}
	records := fetches.Records()
	if arg["commit"] != "before" {
		m.copy(ctx, records)
	}
	for _, r := range records {
		m.next[r.Partition] = r.Offset + 1
	}
	if m.commit(ctx) && arg["commit"] == "before" {
		m.copy(ctx, records)
	}
	m.client.AllowRebalance()
	time.Sleep(time.Until(end))
}

func main() {
	for _, a := range os.Args[1:] {
		key, value, _ := strings.Cut(a, "=")
		arg[key] = value
	}
	m := &member{owned: map[int32]bool{}, next: map[int32]int64{}}
	options := []kgo.Opt{
		kgo.SeedBrokers(arg["server"]), kgo.ConsumerGroup(arg["group"]), kgo.ConsumeTopics(arg["topic"]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
		kgo.SessionTimeout(millis("session")), kgo.HeartbeatInterval(millis("heartbeat")), kgo.RebalanceTimeout(10 * time.Second),
		kgo.FetchMaxWait(50 * time.Millisecond), kgo.RequestRetries(1000), // as long as a node is away
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MetadataMaxAge(500 * time.Millisecond), kgo.MetadataMinAge(100 * time.Millisecond),
	}
	if arg["assignor"] == "range" {
		options = append(options, kgo.Balancers(kgo.RangeBalancer()))
	}
	if arg["instance"] != "" {
		options = append(options, kgo.InstanceID(arg["instance"]))
	}
	var err error
	if m.client, err = kgo.NewClient(options...); err != nil {
		fatal(err)
	}
	stop := make(chan bool)
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(stop)
	}()
	say("started", now())
	for {
		select {
		case <-stop:
			m.client.CloseAllowingRebalance()
			say("end", now())
			return
		default:
			m.round(context.Background())
		}
	}
}
