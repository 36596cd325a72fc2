import {measure} from './harness.mjs'
import twat from '../lib/index.js'
import {createRequire} from 'node:module'
const require=createRequire(import.meta.url)
const {native,result,argument,now,tick}=require('../lib/binding.js')
const v=require('../lib/values.js');const {decode}=require('../lib/decode.js')
const {LRUCache}=require('lru-cache')
const c=new twat.Cache({engine:'memory',max:1000});
const raw=native.open(Buffer.from('{"engine":"memory"}'));raw.set('key:1',Buffer.alloc(101),0)
const obj={id:1,name:'some name',tags:['a','b'],nested:{x:1.5,y:null}}
c.set('o',obj);c.setBuffer('b',Buffer.alloc(100,7));c.set('n',5)
const keys=Array.from({length:2000},(_,i)=>'key:'+i);
const f=twat.memoize(x=>({x}),{max:1000}),ft=twat.memoize(x=>({x}),{max:1000,ttl:100000}),f2=twat.memoize((a,b)=>({a,b}),{max:1000})
const l=new LRUCache({max:1000}),lt=new LRUCache({max:1000,ttl:100000});
for(const k of keys.slice(0,512)){l.set(k,{k});lt.set(k,{k})}
const enc=v.encode(v.writerOf('msgpack'),obj);const eb=Buffer.from(argument.subarray(0,enc));
const loop=g=>n=>{let x;for(let i=0;i<n;i++)x=g(i);return x}
const r=measure([
['perf.now',loop(()=>performance.now())],['Date.now',loop(()=>Date.now())],['now',loop(()=>now())],['tick',loop(()=>tick())],
['raw get',n=>{for(let i=0;i<n;i++)raw.get('key:1')}],
['getBuffer',n=>{for(let i=0;i<n;i++)c.getBuffer('b')}],
['alloc+copy',n=>{for(let i=0;i<n;i++){const b=Buffer.allocUnsafe(100);result.copy(b,0,1,101)}}],
['slice',n=>{for(let i=0;i<n;i++){Uint8Array.prototype.slice.call(result,1,101)}}],
['alloc+loop',n=>{for(let i=0;i<n;i++){const b=Buffer.allocUnsafe(100);for(let j=0;j<100;j++)b[j]=result[j+1]}}],
['allocUnsafe',n=>{for(let i=0;i<n;i++)Buffer.allocUnsafe(100)}],
['get num',n=>{for(let i=0;i<n;i++)c.get('n')}],
['get obj',n=>{for(let i=0;i<n;i++)c.get('o')}],
['decode obj',n=>{for(let i=0;i<n;i++)v.decodeValue(eb,0,eb.length)}],
['json parse',n=>{const s=JSON.stringify(obj);for(let i=0;i<n;i++)JSON.parse(s)}],
['encode obj',n=>{const w=v.writerOf('msgpack');for(let i=0;i<n;i++)v.encode(w,obj)}],
['set obj',n=>{for(let i=0;i<n;i++)c.set('o2',obj)}],
['memo1',n=>{for(let i=0;i<n;i++)f(keys[i&511])}],
['memo1 ttl',n=>{for(let i=0;i<n;i++)ft(keys[i&511])}],
['memo2',n=>{for(let i=0;i<n;i++)f2(keys[i&15],i&31)}],
['lru',n=>{for(let i=0;i<n;i++)l.get(keys[i&511])}],
['lru ttl',n=>{for(let i=0;i<n;i++)lt.get(keys[i&511])}],
])
for(const [k,x] of r)console.log(k.padEnd(14),x.toFixed(1))
