// The signature of a callable.
#ifndef TWAT_CACHE_SIGNATURE_HPP
#define TWAT_CACHE_SIGNATURE_HPP

#include <type_traits>

namespace twat::detail {

// The signature of a callable that has just one; no `type` for others, so that
// an overload of twat::memoize is not considered.
template <class F, class = void> struct signature {};
template <class F>
struct signature<F, std::void_t<decltype(&F::operator())>> : signature<decltype(&F::operator())> {};
template <class R, class... A> struct signature<R(A...)> {
    using type = R(A...);
};
template <class R, class... A> struct signature<R(A...) noexcept> : signature<R(A...)> {};
template <class R, class... A> struct signature<R (*)(A...)> : signature<R(A...)> {};
template <class R, class... A> struct signature<R (*)(A...) noexcept> : signature<R(A...)> {};
// Not &&: the callable is kept, and called as an lvalue.
template <class C, class R, class... A> struct signature<R (C::*)(A...)> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) noexcept> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) const> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) const noexcept> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) volatile> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) volatile noexcept> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) const volatile> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) const volatile noexcept> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) &> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) & noexcept> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) const&> : signature<R(A...)> {};
template <class C, class R, class... A> struct signature<R (C::*)(A...) const& noexcept> : signature<R(A...)> {};

} // namespace twat::detail

#endif
