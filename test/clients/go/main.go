// franz-go against a node: create, produce with every codec, read back, compare.
//
//	roundtrip SERVER PREFIX
//
// The records are those of test/clients/README.md. Prints one line per codec; exit code 1 when anything differs.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	count      = 300
	partitions = 3
	deadline   = 60 * time.Second
)

func record(topic string, i int) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: int32(i % partitions)}
	if i%7 != 3 || i%10 == 9 {
		r.Key = []byte(fmt.Sprintf("key-%d", i%11))
	}
	switch {
	case i%10 == 9:
	case i%10 == 8:
		r.Value = []byte{}
	default:
		r.Value = make([]byte, i*37%1500)
		for j := range r.Value {
			r.Value[j] = byte(i*31 + j*7)
		}
	}
	if i%3 == 0 {
		r.Headers = []kgo.RecordHeader{
			{Key: "h", Value: []byte(fmt.Sprint(i))}, {Key: "h", Value: []byte("twice")}, {Key: "nul", Value: nil}}
	}
	return r
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func same(a, b *kgo.Record) bool {
	if !sameBytes(a.Key, b.Key) || !sameBytes(a.Value, b.Value) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i].Key != b.Headers[i].Key || !sameBytes(a.Headers[i].Value, b.Headers[i].Value) {
			return false
		}
	}
	return true
}

func produce(ctx context.Context, server, topic string, codec kgo.CompressionCodec) error {
	// franz-go is idempotent unless told otherwise.
	client, err := kgo.NewClient(kgo.SeedBrokers(server), kgo.ProducerBatchCompression(codec),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for i := 0; i < count; i++ {
		records = append(records, record(topic, i))
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func consume(ctx context.Context, server, topic string) error {
	assigned := map[int32]kgo.Offset{}
	for p := int32(0); p < partitions; p++ {
		assigned[p] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(server),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: assigned}))
	if err != nil {
		return err
	}
	defer client.Close()
	next := [partitions]int{0, 1, 2}
	for seen := 0; seen < count; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			want := record(topic, next[r.Partition])
			if !same(want, r) {
				return fmt.Errorf("partition %d offset %d differs", r.Partition, r.Offset)
			}
			next[r.Partition] += partitions
			seen++
		}
	}
	return nil
}

func run(server, prefix string) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(server))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for _, c := range []struct {
		name  string
		codec kgo.CompressionCodec
	}{{"none", kgo.NoCompression()}, {"gzip", kgo.GzipCompression()}, {"snappy", kgo.SnappyCompression()},
		{"lz4", kgo.Lz4Compression()}, {"zstd", kgo.ZstdCompression()}} {
		topic := prefix + "-" + c.name
		if _, err := admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
			return fmt.Errorf("%s: create: %w", c.name, err)
		}
		if err := produce(ctx, server, topic, c.codec); err != nil {
			return fmt.Errorf("%s: produce: %w", c.name, err)
		}
		if err := consume(ctx, server, topic); err != nil {
			return fmt.Errorf("%s: consume: %w", c.name, err)
		}
		fmt.Printf("franz-go: %s: %d records\n", c.name, count)
	}
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: roundtrip SERVER PREFIX")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
